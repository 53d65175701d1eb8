import { busy, rateLimited } from '../../domain/errors.js';
import type { Listener } from '../../infra/notices.js';
import { topics } from '../../domain/live/topics.js';

/** The channel of notices about changes. The payload is a topic. */
export const LIVE_CHANNEL = 'talebank_live';

/** A client that waits for changes. Changes between two calls are kept, each topic once. */
export interface Follower {
  /**
   * Waits until something has changed since the last call.
   * @param withinMs the longest wait in milliseconds; the result is empty when nothing has changed by then
   * @returns the topics that have changed; null when the follower was stopped
   */
  changes(withinMs: number): Promise<ReadonlySet<string> | null>;
  /** Stops the follower. */
  readonly stop: () => void;
}

/** The followers of this process. */
export interface Followers {
  /**
   * Adds a follower.
   * @param whose the user whose data is followed; the number of followers is limited for each
   * @throws RATE_LIMITED, BUSY
   */
  follow(whose: string, wanted: readonly string[]): Follower;
  count(): number;
  /** The users who have followers. */
  people(): string[];
  /** The listener of LIVE_CHANNEL. */
  readonly live: Listener;
  /** The listener of the channel that announces changes of sessions, roles and suspensions. */
  readonly standing: Listener;
  /** Stops all followers. */
  close(): void;
}

/** The limit of one process. */
const FOLLOWERS_MAX = 20_000;
const COME_AGAIN_SECONDS = 60;

type Hear = (topic: string) => void;

/**
 * Creates the registry of followers. An idle follower is a few objects and a timer, and a change only costs its
 * followers.
 * @param mostOfOne the limit for one user in this process
 */
export function createFollowers(mostOfOne: number): Followers {
  const byTopic = new Map<string, Set<Hear>>();
  const byPerson = new Map<string, Set<Follower>>();
  let count = 0;

  const tell = (topic: string): void => {
    for (const hear of byTopic.get(topic) ?? []) hear(topic);
    // Those who follow all narrations of a user hear which one has changed.
    const audio = topics.audioOf(topic);
    if (audio === null) return;
    for (const hear of byTopic.get(topics.audios(audio.userId)) ?? []) hear(topic);
  };

  function follow(whose: string, wanted: readonly string[]): Follower {
    if (count >= FOLLOWERS_MAX) throw busy();
    if ((byPerson.get(whose)?.size ?? 0) >= mostOfOne) throw rateLimited(COME_AGAIN_SECONDS);
    const { follower, hear } = createFollower(() => {
      count -= 1;
      leave(byPerson, whose, follower);
      for (const topic of wanted) leave(byTopic, topic, hear);
    });
    count += 1;
    enter(byPerson, whose, follower);
    for (const topic of wanted) enter(byTopic, topic, hear);
    return follower;
  }

  return {
    follow,
    count: () => count,
    people: () => [...byPerson.keys()],
    live: {
      heard: tell,
      missed: () => {
        for (const topic of [...byTopic.keys()]) tell(topic);
      },
    },
    standing: {
      heard: (userId) => {
        tell(topics.standing(userId));
      },
      // Both channels use one connection, so the listener of LIVE_CHANNEL wakes all followers.
      missed: () => undefined,
    },
    close: () => {
      for (const followers of [...byPerson.values()])
        for (const follower of [...followers]) follower.stop();
    },
  };
}

/** @param onStop is called once, when the follower stops */
function createFollower(onStop: () => void): { follower: Follower; hear: Hear } {
  let heard = new Set<string>();
  let wake = (): void => undefined;
  let over = false;
  const follower: Follower = {
    changes: async (withinMs) => {
      if (!over && heard.size === 0) await waitFor(withinMs, (resolve) => (wake = resolve));
      const taken = heard;
      heard = new Set();
      return over ? null : taken;
    },
    stop: () => {
      if (over) return;
      over = true;
      onStop();
      wake();
    },
  };
  return {
    follower,
    hear: (topic) => {
      heard.add(topic);
      wake();
    },
  };
}

/** The longest time that a timer can wait. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Waits until the function that `arm` gets is called, or until the time has passed. */
const waitFor = (withinMs: number, arm: (resolve: () => void) => void): Promise<void> =>
  new Promise((resolve) => {
    const timer =
      withinMs === Infinity ? undefined : setTimeout(resolve, Math.min(TIMER_MS_MAX, withinMs));
    arm(() => {
      clearTimeout(timer);
      resolve();
    });
  });

function enter<Member>(groups: Map<string, Set<Member>>, key: string, member: Member): void {
  groups.set(key, (groups.get(key) ?? new Set()).add(member));
}

function leave<Member>(groups: Map<string, Set<Member>>, key: string, member: Member): void {
  const group = groups.get(key);
  group?.delete(member);
  if (group?.size === 0) groups.delete(key);
}
