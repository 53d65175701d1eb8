import { Client, fetchExchange, type CombinedError } from '@urql/core';
import { graphql } from '../gql/index.js';
import { paths } from '../paths.js';
import type { LoginInput, RefreshMutation, RegisterInput } from '../gql/graphql.js';
import { fetchWithClock, serverNow } from './clock.js';
import { getLocale } from '../paraglide/runtime.js';
import { failureOf, type Failure } from './errors.js';
import { createStore, useStore } from './store.js';
import { forgetPerson, readStored, shutStore, writeStored } from './stored.js';

/** The person whom this browser knows. It stays known without a connection. */
export interface Person {
  readonly id: string;
  readonly name: string;
}

export interface SessionState {
  /** Null for a visitor. */
  readonly person: Person | null;
}

/** Refreshed this long before the end, so that a request does not arrive too late. */
const MARGIN_MS = 20_000;

graphql(`
  fragment AuthFields on AuthPayload {
    accessToken
    accessTokenExpiresAt
    user {
      id
      email
      displayName
    }
  }
`);
const Login = graphql(`
  mutation Login($input: LoginInput!) {
    login(input: $input) {
      ...AuthFields
    }
  }
`);
const Register = graphql(`
  mutation Register($input: RegisterInput!) {
    register(input: $input) {
      ...AuthFields
    }
  }
`);
const Refresh = graphql(`
  mutation Refresh {
    refreshSession {
      ...AuthFields
    }
  }
`);
const Logout = graphql(`
  mutation Logout {
    logout
  }
`);

const ChangePassword = graphql(`
  mutation ChangePassword($currentPassword: String!, $newPassword: String!) {
    changePassword(currentPassword: $currentPassword, newPassword: $newPassword) {
      ...AuthFields
    }
  }
`);
const DeleteAccount = graphql(`
  mutation DeleteAccount($password: String!) {
    deleteAccount(password: $password)
  }
`);

/** Sends what needs no access token, or one that was not refused yet. */
const plain = new Client({
  url: '/graphql',
  exchanges: [fetchExchange],
  preferGetMethod: false,
  fetch: fetchWithClock,
});

interface Token {
  readonly value: string;
  readonly expiresAt: number;
}

interface Granted {
  readonly accessToken: string;
  readonly accessTokenExpiresAt: string;
  readonly user: {
    readonly id: string;
    readonly email: string;
    readonly displayName?: string | null;
  };
}

/** In memory only, so that a script of another page or a copy of the disk does not have it. */
let token: Token | null = null;

const store = createStore<SessionState>({ person: readPerson() });

/** Tabs tell each other tokens and sign-outs. A message never leaves the browser. */
const channel = new BroadcastChannel('talebank.session');

export const useSession = (): SessionState => useStore(store);
export const session = store;

/** The access token, if it is still good. */
export function accessToken(): string | null {
  if (token === null || token.expiresAt - MARGIN_MS < serverNow().getTime()) return null;
  return token.value;
}

/** Whether a request would go out without a token although a person is signed in. */
export const needsRefresh = (): boolean => store.get().person !== null && accessToken() === null;

let refreshing: Promise<Failure | null> | null = null;

/** Gets a new token by the cookie, once for all tabs. Returns why there is none. */
export function refresh(refused: string | null = null): Promise<Failure | null> {
  refreshing ??= inTurn(() => refreshNow(refused)).finally(() => {
    refreshing = null;
  });
  return refreshing;
}

/** The cookie is single-use: two tabs must not send the same one. */
async function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
  if (!('locks' in navigator)) return work();
  return navigator.locks.request('talebank.refresh', async () => work());
}

async function refreshNow(refused: string | null): Promise<Failure | null> {
  // Another tab has done it while this one waited.
  const present = accessToken();
  if (present !== null && present !== refused) return null;
  if (store.get().person === null || leaving) return { code: 'UNAUTHENTICATED', details: {} };
  const { data, error } = await plain.mutation(Refresh, {}).toPromise();
  // A refusal has no data, which is null in some answers.
  const granted = (data as Partial<RefreshMutation> | null | undefined)?.refreshSession;
  if (granted !== undefined) {
    grant(granted);
    return null;
  }
  const failure = failureOf(error) ?? { code: 'INTERNAL', details: {} };
  if (ENDED.has(failure.code)) end();
  return failure;
}

const ENDED: ReadonlySet<string> = new Set([
  'REFRESH_TOKEN_INVALID',
  'REFRESH_TOKEN_REUSED',
  'UNAUTHENTICATED',
  'ACCOUNT_SUSPENDED',
]);

/** Signs in. Returns why it did not succeed, or null. */
export const signIn = (
  input: Omit<LoginInput, 'transport' | 'deviceName'>,
): Promise<Failure | null> =>
  enter(async () => {
    const answer = plain.mutation(Login, { input: { ...input, ...device() } });
    const { data, error } = await answer.toPromise();
    return { granted: data?.login, error };
  });

export const signUp = (
  input: Omit<RegisterInput, 'transport' | 'deviceName' | 'locale'>,
): Promise<Failure | null> =>
  enter(async () => {
    const answer = plain.mutation(Register, {
      input: { ...input, ...device(), locale: getLocale() },
    });
    const { data, error } = await answer.toPromise();
    return { granted: data?.register, error };
  });

interface Entry {
  readonly granted: Granted | undefined;
  readonly error: CombinedError | undefined;
}

const enter = (send: () => Promise<Entry>): Promise<Failure | null> =>
  inTurn(async () => {
    const { granted, error } = await send();
    if (granted === undefined) return failureOf(error) ?? { code: 'INTERNAL', details: {} };
    if (store.get().person?.id !== granted.user.id) await forgetEverything();
    grant(granted);
    channel.postMessage({ kind: 'person', id: granted.user.id });
    return null;
  });

/** Keeps the tokens that a mutation has returned for this device. */
function grant(granted: Granted): void {
  writeStored(SIGNING_OUT, null);
  const { id, displayName, email } = granted.user;
  keep({ value: granted.accessToken, expiresAt: Date.parse(granted.accessTokenExpiresAt) });
  channel.postMessage({ kind: 'token', token, id });
  const person = { id, name: displayName ?? email };
  writeStored('person', JSON.stringify(person));
  const before = store.get().person;
  if (before?.id !== person.id || before.name !== person.name) store.set({ person });
}

interface WithToken {
  readonly fetchOptions: { readonly headers: Record<string, string> };
}

/**
 * Sends what ends or replaces the session. The event stream may tell of the end before the answer is here: a refresh
 * waits meanwhile, because it would send the old cookie and be refused, and the device would be signed out.
 */
async function changeSession<Result>(
  send: (context: WithToken) => Promise<Result>,
): Promise<Result> {
  if (needsRefresh()) await refresh();
  const headers: Record<string, string> =
    token === null ? {} : { authorization: `Bearer ${token.value}` };
  return inTurn(() => send({ fetchOptions: { headers } }));
}

/** Signs this device out, in all tabs. */
export const signOut = (): Promise<void> =>
  changeSession(async (context) => {
    const { error } = await plain.mutation(Logout, {}, context).toPromise();
    if (isUnanswered(failureOf(error))) writeStored(SIGNING_OUT, 'true');
    channel.postMessage({ kind: 'left', ended: false });
    await leave(false);
  });

/** Says that the server has not been told of a sign-out, so that the cookie of the person is still valid. */
const SIGNING_OUT = 'signing-out';

const isUnanswered = (failure: Failure | null): boolean =>
  failure !== null && ['OFFLINE', 'BUSY', 'INTERNAL', 'RATE_LIMITED'].includes(failure.code);

/** Tells the server of a sign-out that it has not answered. The cookie alone is enough for this. */
function finishSignOut(): void {
  if (readStored(SIGNING_OUT) === null || store.get().person !== null) return;
  void inTurn(async () => {
    // Another tab may have done it, or another person may have signed in, which has replaced the cookie.
    if (readStored(SIGNING_OUT) === null || store.get().person !== null) return;
    const { error } = await plain.mutation(Logout, {}).toPromise();
    if (!isUnanswered(failureOf(error))) writeStored(SIGNING_OUT, null);
  });
}
window.addEventListener('online', finishSignOut);
finishSignOut();

/** Returns why the password was not changed, or null. All other devices are signed out. */
export const changePassword = (passwords: {
  currentPassword: string;
  newPassword: string;
}): Promise<Failure | null> =>
  changeSession(async (context) => {
    const { data, error } = await plain.mutation(ChangePassword, passwords, context).toPromise();
    const failure = failureOf(error);
    // A refused answer has null as its data, or as its field.
    const changed = data?.changePassword ?? null;
    if (failure !== null || changed === null) return failure ?? { code: 'INTERNAL', details: {} };
    grant(changed);
    return null;
  });

/** Returns why the account was not deleted, or null. Nothing of it remains in this browser. */
export const deleteAccount = (password: string): Promise<Failure | null> =>
  changeSession(async (context) => {
    const { error } = await plain.mutation(DeleteAccount, { password }, context).toPromise();
    const failure = failureOf(error);
    if (failure !== null) return failure;
    channel.postMessage({ kind: 'left', ended: false });
    await leave(false);
    return null;
  });

/** Keeps the new name of the person who is signed in. */
export function rename(name: string): void {
  const { person } = store.get();
  if (person === null) return;
  const renamed = { id: person.id, name };
  writeStored('person', JSON.stringify(renamed));
  store.set({ person: renamed });
}

/** The server has ended the session. */
export function end(): void {
  if (store.get().person === null) return;
  channel.postMessage({ kind: 'left', ended: true });
  void leave(true);
}

/** The first reason counts: a session that the person has ended was not ended elsewhere. */
let leaving = false;

/** Loads the app anew, so that nothing of the person remains in memory. `ended` tells the sign-in page to say why. */
async function leave(ended: boolean): Promise<void> {
  if (leaving) return;
  leaving = true;
  keep(null);
  // A player that is stopped by the new page reports its position, which belongs to the person.
  shutStore();
  const next = location.pathname + location.search;
  await forgetEverything();
  const signIn = paths.signIn(next);
  location.replace(ended ? `${signIn}${signIn.includes('?') ? '&' : '?'}ended=1` : paths.library);
}

function keep(next: Token | null): void {
  token = next;
}

const forgetting = new Set<() => Promise<unknown>>();

/** Has something done when the person leaves, such as emptying a store that is open. */
export const onLeave = (forget: () => Promise<unknown>): void => void forgetting.add(forget);

/** Nothing of a person remains for the next one: neither answers, recordings nor positions. */
async function forgetEverything(): Promise<void> {
  forgetPerson();
  // Each step is tried, because a storage that is broken must not keep what is in the others.
  const steps = [() => caches.delete('talebank-recordings'), ...forgetting];
  await Promise.allSettled(steps.map(async (step) => step()));
  try {
    const databases = await indexedDB.databases();
    for (const { name } of databases)
      if (name?.startsWith('talebank.') === true) indexedDB.deleteDatabase(name);
  } catch {
    // This browser keeps nothing.
  }
}

channel.onmessage = (event: MessageEvent<TabMessage>) => {
  const { data } = event;
  const { person } = store.get();
  if (data.kind === 'token' && data.id === person?.id) keep(data.token);
  // Another person has signed in elsewhere in this browser: this tab starts anew as that person.
  if (data.kind === 'person' && data.id !== person?.id) location.reload();
  if (data.kind === 'left' && person !== null) void leave(data.ended);
};

type TabMessage =
  | { readonly kind: 'token'; readonly token: Token | null; readonly id: string }
  | { readonly kind: 'person'; readonly id: string }
  | { readonly kind: 'left'; readonly ended: boolean };

function readPerson(): Person | null {
  try {
    const { id, name } = JSON.parse(readStored('person') ?? '') as Partial<Person>;
    return id === undefined || name === undefined ? null : { id, name };
  } catch {
    return null;
  }
}

/** What the list of devices shows. */
function device(): { deviceName: string; transport: 'COOKIE' } {
  const { userAgent } = navigator;
  const browser = /Edg|Firefox|Chrome|Safari/.exec(userAgent)?.[0] ?? 'Browser';
  const system = /Android|iPhone|iPad|Windows|Mac OS|Linux/.exec(userAgent)?.[0] ?? '';
  const name = browser === 'Edg' ? 'Edge' : browser;
  return { deviceName: system === '' ? name : `${name}, ${system}`, transport: 'COOKIE' };
}
