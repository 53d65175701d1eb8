import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app.js';
import { readCreditsVersion } from '../credits/credits.sql.js';
import { findAudio, versionOf, type AudioView } from '../narrations/audios.js';
import { countAgainstLimit } from '../limits.js';
import { requireSession, type Viewer } from '../sessions/viewer.js';
import { topics, type Follower } from './followers.js';

/** The client of a subscription. */
export interface Subscriber {
  readonly viewer: Viewer;
  /** Aborted when the client has disconnected. */
  readonly signal: AbortSignal;
}

/** A state, and how long it may be valid without a notice of a change. */
interface State<Value> {
  readonly value: Value;
  /** Equal for equal states. */
  readonly version: string;
  readonly goodForMs: number;
}

/** At most ten events a second for each subscription. Changes in between are combined. */
export const BETWEEN_MS = 100;

/**
 * One of the viewer's narrations, first in its present state and then whenever its status or progress changes.
 * @throws NOT_FOUND, RATE_LIMITED, BUSY; later UNAUTHENTICATED or ACCOUNT_SUSPENDED, when the session has ended
 */
export function followAudio(
  app: App,
  subscriber: Subscriber,
  audioId: string,
): Promise<AsyncGenerator<AudioView>> {
  const { userId } = subscriber.viewer;
  return follow(app, subscriber, topics.audio(userId, audioId), async () => {
    const value = await findAudio(app, userId, audioId);
    return { value, version: versionOf(value), goodForMs: Infinity };
  });
}

/**
 * The viewer's points, first in their present state and then whenever they change, including by expiry or by the next
 * month's allowance. Each subscription is counted as one read of points, because reconnecting clients could otherwise
 * read without a limit. @throws like followAudio
 */
export async function followCredits(
  app: App,
  subscriber: Subscriber,
): Promise<AsyncGenerator<{ userId: string }>> {
  const { userId } = subscriber.viewer;
  await countAgainstLimit(app, { limit: 'creditReads', by: 'account', whose: userId });
  return follow(app, subscriber, topics.credits(userId), async () => {
    const { version, changesInMs } = await readCreditsVersion(app.points, userId);
    return { value: { userId }, version, goodForMs: changesInMs ?? Infinity };
  });
}

async function follow<Value>(
  app: App,
  { viewer, signal }: Subscriber,
  topic: string,
  read: () => Promise<State<Value>>,
): Promise<AsyncGenerator<Value>> {
  const standing = topics.standing(viewer.userId);
  // Follows before it reads, so that a change in between is not missed.
  const follower = app.followers.follow(viewer.userId, [topic, standing]);
  signal.addEventListener('abort', follower.stop, { once: true });
  try {
    return tellStates(app, viewer, follower, { read, first: await read() });
  } catch (error) {
    follower.stop();
    throw error;
  }
}

async function* tellStates<Value>(
  app: App,
  viewer: Viewer,
  follower: Follower,
  { read, first }: { read: () => Promise<State<Value>>; first: State<Value> },
): AsyncGenerator<Value> {
  try {
    let told = '';
    for (let state = first; ; state = await read()) {
      // A change from before the last read is reported again, so equal versions are not sent twice.
      if (state.version !== told) yield state.value;
      told = state.version;
      await sleep(BETWEEN_MS);
      const goodUntil = performance.now() + state.goodForMs - BETWEEN_MS;
      if ((await waitForTopics(app, viewer, follower, goodUntil)) === null) return;
    }
  } finally {
    follower.stop();
  }
}

/**
 * Waits until something that is followed has changed, or until `goodUntil`, a time of `performance.now()`. Changes of
 * the session are checked, and not returned.
 * @returns the topics that have changed, none after `goodUntil`; null when the subscription has ended
 * @throws when the session has ended
 */
export async function waitForTopics(
  app: App,
  viewer: Viewer,
  follower: Follower,
  goodUntil: number,
): Promise<ReadonlySet<string> | null> {
  const standing = topics.standing(viewer.userId);
  for (let changed: ReadonlySet<string> | undefined; ;) {
    // The session is checked before each event. This needs no query unless a change was noticed.
    const { endsInMs } = await requireSession(app, viewer);
    if (changed !== undefined) return changed;
    const heard = await follower.changes(Math.min(endsInMs, goodUntil - performance.now()));
    if (heard === null) return null;
    const others = new Set([...heard].filter((topic) => topic !== standing));
    if (others.size > 0 || performance.now() >= goodUntil) changed = others;
  }
}
