import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../../app.js';
import { accountSuspended, unauthenticated } from '../../domain/errors.js';
import { readCreditsVersion } from '../credits/credits.sql.js';
import { findAudio, type AudioView } from '../narrations/audios.js';
import { countAgainstLimit } from '../limits.js';
import type { Viewer } from '../sessions/viewer.js';
import { topics, type Follower } from './followers.js';

/** Who follows. */
export interface Subscriber {
  readonly viewer: Viewer;
  /** Aborted when they have gone. */
  readonly signal: AbortSignal;
}

/** How something stands, and after which time it may stand otherwise without anybody telling. */
interface State<Value> {
  readonly value: Value;
  /** The same as long as nothing that is followed has changed. */
  readonly version: string;
  readonly goodForMs: number;
}

/** Nobody sees more than ten changes a second: what changes meanwhile is told together. */
const BETWEEN_MS = 100;

/**
 * One of the viewer's narrations, each time its status or progress changes, beginning with how it stands.
 * @throws NOT_FOUND, RATE_LIMITED, BUSY; and while it is followed UNAUTHENTICATED or ACCOUNT_SUSPENDED, when the
 *   session has ended
 */
export function followAudio(
  app: App,
  subscriber: Subscriber,
  audioId: string,
): Promise<AsyncGenerator<AudioView>> {
  const { userId } = subscriber.viewer;
  return follow(app, subscriber, topics.audio(userId, audioId), async () => {
    const value = await findAudio(app, userId, audioId);
    const version = `${value.status} ${String(value.progress)} ${value.updatedAt.toISOString()}`;
    return { value, version, goodForMs: Infinity };
  });
}

/**
 * The viewer's points, each time they change, also because some of them lapse. Beginning to follow counts as a read
 * of them, or whoever comes again and again would read without a limit. @throws as followAudio
 */
export async function followCredits(
  app: App,
  subscriber: Subscriber,
): Promise<AsyncGenerator<{ userId: string }>> {
  const { userId } = subscriber.viewer;
  await countAgainstLimit(app, { limit: 'creditReads', by: 'account', whose: userId });
  return follow(app, subscriber, topics.credits(userId), async () => {
    const { version, lapsesInMs } = await readCreditsVersion(app.db, userId);
    return { value: { userId }, version, goodForMs: lapsesInMs ?? Infinity };
  });
}

async function follow<Value>(
  app: App,
  { viewer, signal }: Subscriber,
  topic: string,
  read: () => Promise<State<Value>>,
): Promise<AsyncGenerator<Value>> {
  const standing = topics.standing(viewer.userId);
  // Followed first and read then: what changes in between is told.
  const follower = app.followers.follow(viewer.userId, [topic, standing]);
  signal.addEventListener('abort', follower.stop, { once: true });
  try {
    return tellStates(app, viewer, follower, { topic, read, first: await read() });
  } catch (error) {
    follower.stop();
    throw error;
  }
}

async function* tellStates<Value>(
  app: App,
  viewer: Viewer,
  follower: Follower,
  { topic, read, first }: { topic: string; read: () => Promise<State<Value>>; first: State<Value> },
): AsyncGenerator<Value> {
  try {
    let told = '';
    for (let state = first; ; state = await read()) {
      // What was noted before it was read the last time is told once more.
      if (state.version !== told) yield state.value;
      told = state.version;
      await sleep(BETWEEN_MS);
      const goodUntil = performance.now() + state.goodForMs - BETWEEN_MS;
      if (!(await waitForChange(app, viewer, follower, { topic, goodUntil }))) return;
    }
  } finally {
    follower.stop();
  }
}

/** @returns whether there is something to tell; otherwise it is over. @throws when the session has ended */
async function waitForChange(
  app: App,
  viewer: Viewer,
  follower: Follower,
  { topic, goodUntil }: { topic: string; goodUntil: number },
): Promise<boolean> {
  for (let changed = false; ;) {
    // Looked at before anything is told: from memory, unless somebody told of a change.
    const { endsInMs } = await mustBeSignedIn(app, viewer);
    if (changed) return true;
    const heard = await follower.changes(Math.min(endsInMs, goodUntil - performance.now()));
    if (heard === null) return false;
    changed = heard.has(topic) || performance.now() >= goodUntil;
  }
}

async function mustBeSignedIn(app: App, viewer: Viewer): Promise<{ endsInMs: number }> {
  const state = await app.sessionStates.find(viewer.userId, viewer.sessionId);
  if (state === undefined) throw unauthenticated('The session has ended.');
  if (state.suspended) throw accountSuspended();
  return state;
}
