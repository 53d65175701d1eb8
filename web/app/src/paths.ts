/** The addresses of the app. Links are made here only, so that none leads nowhere. */
export const paths = {
  library: '/',
  story: (slug: string): string => `/stories/${encodeURIComponent(slug)}`,
  listen: (slug: string): string => `/stories/${encodeURIComponent(slug)}/listen`,
  wallet: '/wallet',
  account: '/account',
  notices: '/notices',
  signIn: (next?: string): string => withNext('/sign-in', next),
  signUp: (next?: string): string => withNext('/sign-up', next),
  forgotten: '/forgotten',
  verify: '/verify',
  reset: '/reset',
} as const;

/** Patterns for the router, in the order in which they are tried. */
export const patterns = {
  library: '/',
  story: '/stories/:slug',
  listen: '/stories/:slug/listen',
  wallet: '/wallet',
  account: '/account',
  notices: '/notices',
  signIn: '/sign-in',
  signUp: '/sign-up',
  forgotten: '/forgotten',
  verify: '/verify',
  reset: '/reset',
} as const;

const withNext = (path: string, next: string | undefined): string =>
  next === undefined || next === '/' ? path : `${path}?next=${encodeURIComponent(next)}`;

/** Where to go after signing in: an address of this app and of no other site. */
export function nextOf(search: string): string {
  const next = new URLSearchParams(search).get('next') ?? '/';
  const isOwn = next.startsWith('/') && !next.startsWith('//') && !next.includes('\\');
  return isOwn ? next : '/';
}
