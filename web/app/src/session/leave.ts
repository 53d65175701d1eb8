import { forgetPerson, shutStore } from '../api/stored.js';
import { paths } from '../paths.js';
import { channel, keep, session, type TabMessage } from './state.js';

/** The server has ended the session. */
export function end(): void {
  if (session.get().person === null) return;
  channel.postMessage({ kind: 'left', ended: true });
  void leave(true);
}

/** The first reason counts: a session that the person has ended was not ended elsewhere. */
let leaving = false;
export const isLeaving = (): boolean => leaving;

/** Loads the app anew, so that nothing of the person remains in memory. `ended` tells the sign-in page to say why. */
export async function leave(ended: boolean): Promise<void> {
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

const forgetting = new Set<() => Promise<unknown>>();

/** Has something done when the person leaves, such as emptying a store that is open. */
export const onLeave = (forget: () => Promise<unknown>): void => void forgetting.add(forget);

/** Nothing of a person remains for the next one: neither answers, recordings nor positions. */
export async function forgetEverything(): Promise<void> {
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

/** Follows what the other tabs of this browser do with the session. */
export function followTabs(): void {
  channel.onmessage = (event: MessageEvent<TabMessage>) => {
    const { data } = event;
    const { person } = session.get();
    if (data.kind === 'token' && data.id === person?.id) keep(data.token);
    // Another person has signed in elsewhere in this browser: this tab starts anew as that person.
    if (data.kind === 'person' && data.id !== person?.id) location.reload();
    if (data.kind === 'left' && person !== null) void leave(data.ended);
  };
}
