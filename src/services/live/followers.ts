import { busy, rateLimited } from '../../domain/errors.js';
import type { Listener } from '../../infra/notices.js';

/** The channel on which it is told what has changed; the payload is the topic. */
export const LIVE_CHANNEL = 'talebank_live';

/** What can be followed: as the database's triggers write it, and a person's sessions and standing. */
export const topics = {
  audio: (userId: string, audioId: string): string => `audio ${userId} ${audioId}`,
  credits: (userId: string): string => `credits ${userId}`,
  standing: (userId: string): string => `standing ${userId}`,
};

/** Someone who waits for changes. What is told while they are busy is kept: each topic once, however often. */
export interface Follower {
  /**
   * Waits until something has changed since the last call.
   * @param withinMs at most so long: then nothing has
   * @returns the topics; null when it is over
   */
  changes(withinMs: number): Promise<ReadonlySet<string> | null>;
  /** Ends it. */
  readonly stop: () => void;
}

/** Who waits for what, in this process. */
export interface Followers {
  /**
   * @param whose what is followed; they may have so many followers
   * @throws RATE_LIMITED, BUSY
   */
  follow(whose: string, wanted: readonly string[]): Follower;
  count(): number;
  /** For LIVE_CHANNEL. */
  readonly live: Listener;
  /** For the channel that tells whose sessions or standing have changed. */
  readonly standing: Listener;
  /** Ends all of them. */
  close(): void;
}

/** In one process. */
const MOST_OF_ALL = 20_000;
const COME_AGAIN_SECONDS = 60;

type Hear = (topic: string) => void;

/**
 * An idle follower is a few objects and a timer; a change costs those who follow it.
 * @param mostOfOne how many one person may have, in this process
 */
export function createFollowers(mostOfOne: number): Followers {
  const byTopic = new Map<string, Set<Hear>>();
  const byPerson = new Map<string, Set<Follower>>();
  let count = 0;

  const tell = (topic: string): void => {
    for (const hear of byTopic.get(topic) ?? []) hear(topic);
  };

  function follow(whose: string, wanted: readonly string[]): Follower {
    if (count >= MOST_OF_ALL) throw busy();
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
      // What was missed on one channel was missed on both, and the other one says so.
      missed: () => undefined,
    },
    close: () => {
      for (const followers of [...byPerson.values()])
        for (const follower of [...followers]) follower.stop();
    },
  };
}

/** @param onStop called once, when it is over */
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

/** As long as a timer can wait. */
const LONGEST_MS = 2 ** 31 - 1;

/** Until `arm`'s argument is called, or so long has passed. */
const waitFor = (withinMs: number, arm: (resolve: () => void) => void): Promise<void> =>
  new Promise((resolve) => {
    const timer =
      withinMs === Infinity ? undefined : setTimeout(resolve, Math.min(LONGEST_MS, withinMs));
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
