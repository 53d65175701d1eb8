import type { FastifyRequest } from 'fastify';

/** The first segments of paths that are no pages of the app. They keep their 404 for browsers too. */
const NO_PAGES = new Set([
  '.well-known',
  'assets',
  'dev',
  'files',
  'graphiql',
  'graphql',
  'healthz',
  'metrics',
  'readyz',
  'statements',
  'streams',
]);

/** Segments of letters, digits, `-`, `_`, `~` and encoded characters. A dot would be a file that does not exist. */
const PAGE = /^(?:\/(?:[\w~-]|%[0-9A-Fa-f]{2})+)+\/?$/;
/** An encoded slash, backslash, dot, percent sign or control character makes another path when it is decoded. */
const TRICK = /%(?:2[EeFf5]|5[Cc]|[01][0-9A-Fa-f]|7[Ff])/;
const PATH_CHARACTERS_MAX = 500;

/**
 * Whether a request without a route is a browser that opens a page of the app. Other clients ask for JSON or for
 * anything, and get JSON.
 */
export function isNavigation({ method, url, headers }: FastifyRequest): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  const [path = ''] = url.split('?', 1);
  return (
    path.length <= PATH_CHARACTERS_MAX &&
    PAGE.test(path) &&
    !TRICK.test(path) &&
    !NO_PAGES.has(path.split('/')[1] ?? '') &&
    asksForHtml(headers.accept)
  );
}

/** Whether the media type text/html itself is in an Accept header, and not refused by `q=0`. */
const asksForHtml = (accept = ''): boolean =>
  accept.split(',').some((one) => {
    const [type = '', ...parameters] = one.split(';').map((part) => part.trim().toLowerCase());
    return (
      type === 'text/html' && !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter))
    );
  });

/** Whether a client that asks for `/` accepts a page. It does unless it accepts only other types. */
export const takesHtml = ({ headers: { accept } }: FastifyRequest): boolean =>
  accept === undefined || accept === '' || accept.includes('*/*') || asksForHtml(accept);
