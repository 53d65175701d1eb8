import type { Listener } from '../../infra/notices.js';

/** The channel on which the database's triggers tell what has changed; the payload is the topic. */
export const LIVE_CHANNEL = 'talebank_live';

/** What can be followed: as the triggers write it, and a person's sessions and standing. */
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
  follow(wanted: readonly string[]): Follower;
  /** How many follow a topic, or anything. */
  count(topic?: string): number;
  /** For LIVE_CHANNEL. */
  readonly live: Listener;
  /** For the channel that tells whose sessions or standing have changed. */
  readonly standing: Listener;
  /** Ends all of them. */
  close(): void;
}

/** As long as a timer can wait. */
const LONGEST_MS = 2 ** 31 - 1;

/** An idle follower is a few objects and no timer of its own that matters; a change costs those who follow it. */
export function createFollowers(): Followers {
  const byTopic = new Map<string, Set<(topic: string) => void>>();
  const all = new Set<Follower>();

  const tell = (topic: string): void => {
    for (const hear of byTopic.get(topic) ?? []) hear(topic);
  };
  const tellEverything = (): void => {
    for (const topic of [...byTopic.keys()]) tell(topic);
  };

  function follow(wanted: readonly string[]): Follower {
    let heard = new Set<string>();
    let wake = (): void => undefined;
    let over = false;
    const hear = (topic: string): void => {
      heard.add(topic);
      wake();
    };
    for (const topic of wanted) byTopic.set(topic, (byTopic.get(topic) ?? new Set()).add(hear));
    const take = (): ReadonlySet<string> => {
      const taken = heard;
      heard = new Set();
      return taken;
    };
    const follower: Follower = {
      changes: async (withinMs) => {
        if (!over && heard.size === 0) await waitFor(withinMs, (resolve) => (wake = resolve));
        return over ? null : take();
      },
      stop: () => {
        over = true;
        all.delete(follower);
        for (const topic of wanted) leave(byTopic, topic, hear);
        wake();
      },
    };
    all.add(follower);
    return follower;
  }

  return {
    follow,
    count: (topic) => (topic === undefined ? all.size : (byTopic.get(topic)?.size ?? 0)),
    live: { heard: tell, missed: tellEverything },
    standing: {
      heard: (userId) => {
        tell(topics.standing(userId));
      },
      // What was missed on one channel was missed on both, and the other one says so.
      missed: () => undefined,
    },
    close: () => {
      for (const follower of all) follower.stop();
    },
  };
}

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

function leave(
  byTopic: Map<string, Set<(topic: string) => void>>,
  topic: string,
  hear: (topic: string) => void,
): void {
  const hearers = byTopic.get(topic);
  hearers?.delete(hear);
  if (hearers?.size === 0) byTopic.delete(topic);
}
