import { serverNow } from '../api/clock.js';
import { createStore, useStore } from '../api/store.js';
import { readStored, writeStored } from '../api/stored.js';

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

export interface Token {
  readonly value: string;
  readonly expiresAt: number;
}

export interface Granted {
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
export const channel = new BroadcastChannel('talebank.session');

export const useSession = (): SessionState => useStore(store);
export const session = store;

/** The access token, if it is still good. */
export function accessToken(): string | null {
  if (token === null || token.expiresAt - MARGIN_MS < serverNow().getTime()) return null;
  return token.value;
}

/** Whether a request would go out without a token although a person is signed in. */
export const needsRefresh = (): boolean => store.get().person !== null && accessToken() === null;

/** What the tabs tell each other. */
export type TabMessage =
  | { readonly kind: 'token'; readonly token: Token | null; readonly id: string }
  | { readonly kind: 'person'; readonly id: string }
  | { readonly kind: 'left'; readonly ended: boolean };

/** Keeps the tokens that a mutation has returned for this device. */
export function grant(granted: Granted): void {
  writeStored(SIGNING_OUT, null);
  const { id, displayName, email } = granted.user;
  keep({ value: granted.accessToken, expiresAt: Date.parse(granted.accessTokenExpiresAt) });
  channel.postMessage({ kind: 'token', token, id });
  const person = { id, name: displayName ?? email };
  writeStored('person', JSON.stringify(person));
  const before = store.get().person;
  if (before?.id !== person.id || before.name !== person.name) store.set({ person });
}

/** The name under which a sign-out that the server has not heard of is stored. The cookie of the person is still valid. */
export const SIGNING_OUT = 'signing-out';

export function keep(next: Token | null): void {
  token = next;
}

/** The headers of a request of the person who is signed in. */
export const authorization = (): Record<string, string> =>
  token === null ? {} : { authorization: `Bearer ${token.value}` };

/** Keeps the new name of the person who is signed in. */
export function rename(name: string): void {
  const { person } = store.get();
  if (person === null) return;
  const renamed = { id: person.id, name };
  writeStored('person', JSON.stringify(renamed));
  store.set({ person: renamed });
}

function readPerson(): Person | null {
  try {
    const { id, name } = JSON.parse(readStored('person') ?? '') as Partial<Person>;
    return id === undefined || name === undefined ? null : { id, name };
  } catch {
    return null;
  }
}
