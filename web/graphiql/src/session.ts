/** The tokens of the user who signed in on this page. They last as long as the tab. */
interface Tokens {
  readonly accessToken: string;
  readonly refreshToken: string | null;
  readonly who: string;
}

const STORE = 'talebank:tokens';
/** The status of an answer that needs a signed-in user. */
const UNAUTHENTICATED = 401;
type Listener = () => void;

const listeners = new Set<Listener>();
let tokens = read();
let refreshing: Promise<void> | null = null;

function read(): Tokens | null {
  try {
    return JSON.parse(sessionStorage.getItem(STORE) ?? 'null') as Tokens | null;
  } catch {
    return null;
  }
}

function keep(next: Tokens | null): void {
  tokens = next;
  if (next === null) sessionStorage.removeItem(STORE);
  else sessionStorage.setItem(STORE, JSON.stringify(next));
  for (const listener of listeners) listener();
}

export const subscribe = (listener: Listener): (() => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** The name of the signed-in user. Null when signed out. */
export const who = (): string | null => tokens?.who ?? null;

export async function signOut(): Promise<void> {
  await post({ query: 'mutation { logout }' }, {}).catch(() => undefined);
  keep(null);
}

interface Answer {
  data?: Record<string, unknown> | null;
  errors?: { extensions?: { code?: string } }[];
}

interface Signed {
  accessToken?: unknown;
  refreshToken?: unknown;
  user?: { email?: unknown };
}

const authorization = (): Record<string, string> =>
  tokens === null ? {} : { authorization: `Bearer ${tokens.accessToken}` };

async function post(body: object, headers: Record<string, string>): Promise<Answer> {
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...authorization(),
      ...headers,
    },
    body: JSON.stringify(body),
  });
  return (await response.json()) as Answer;
}

/** Any mutation that hands out an access token signs this page in. */
function notice(answer: Answer): void {
  if (answer.data?.['logout'] === true) keep(null);
  for (const value of Object.values(answer.data ?? {})) {
    const signed = (value ?? {}) as Signed;
    if (typeof signed.accessToken !== 'string') continue;
    const { email } = signed.user ?? {};
    keep({
      accessToken: signed.accessToken,
      refreshToken:
        typeof signed.refreshToken === 'string'
          ? signed.refreshToken
          : (tokens?.refreshToken ?? null),
      who: typeof email === 'string' ? email : (tokens?.who ?? 'someone'),
    });
  }
}

async function refresh(refreshToken: string): Promise<void> {
  const query =
    'mutation ($token: String) { refreshSession(refreshToken: $token) { accessToken refreshToken user { email } } }';
  const answer = await post({ query, variables: { token: refreshToken } }, { authorization: '' });
  if (answer.data == null) keep(null);
  notice(answer);
}

const isSignedOut = (answer: Answer): boolean =>
  answer.errors?.some((error) => error.extensions?.code === 'UNAUTHENTICATED') ?? false;

/** Refreshes the access token, once for all who wait. @returns whether there is one to ask again with */
async function renew(): Promise<boolean> {
  const refreshToken = tokens?.refreshToken;
  if (refreshToken == null) return false;
  refreshing ??= refresh(refreshToken).finally(() => {
    refreshing = null;
  });
  await refreshing;
  return tokens !== null;
}

/** Sends one operation; once more with a new access token when the old one has expired. */
export async function execute(body: object, headers: Record<string, string> = {}): Promise<Answer> {
  let answer = await post(body, headers);
  if (isSignedOut(answer) && (await renew())) answer = await post(body, headers);
  notice(answer);
  return answer;
}

/** A request of another kind, as `execute` sends its own: signed, and refreshed where it has to be. */
export async function fetchSigned(url: string, init: RequestInit): Promise<Response> {
  const send = (): Promise<Response> =>
    fetch(url, {
      ...init,
      headers: { ...(init.headers as Record<string, string>), ...authorization() },
    });
  const response = await send();
  return response.status === UNAUTHENTICATED && (await renew()) ? send() : response;
}
