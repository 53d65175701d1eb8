import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The pause after a turn, as a multiple of its length. It leaves the event loop to other requests. Where a pause follows
 * every turn, clients that send without a break are the ones to slow down, so it is longer.
 */
const PAUSE_FACTORS = { always: 4, 'when another waits': 2 };
/** What waits holds memory, so that its number and its time are bounded. */
const BOUNDS = { addressMax: 1_000, allMax: 3_000, waitMsMax: 10_000 };

/** Requests that keep the event loop busy and therefore run one after the other. */
export interface Lane {
  /**
   * Waits for a turn. Client addresses alternate, so that one with many requests does not keep out the others.
   * @returns ends the turn, and is idempotent; null when too many wait, or when no turn came in time
   */
  enter(address: string): Promise<(() => void) | null>;
}

/**
 * @param pause `always`, or only when another request waits at the end of a turn
 * @param bounds of what waits: for each address, for all, and how long
 */
export function createLane(pause: keyof typeof PAUSE_FACTORS, bounds = BOUNDS): Lane {
  const waiters = createWaiters(bounds);
  let taken = false;

  const startNext = (): void => {
    taken = waiters.giveTurn();
  };

  /** @returns ends the turn that begins now */
  function begin(): () => void {
    const startedMs = performance.now();
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      const pauses = pause === 'always' || waiters.count() > 0;
      const pauseMs = pauses ? PAUSE_FACTORS[pause] * (performance.now() - startedMs) : 0;
      if (pauseMs === 0) startNext();
      else void sleep(pauseMs).then(startNext);
    };
  }

  return {
    enter: async (address) => {
      if (taken && !(await waiters.wait(address))) return null;
      taken = true;
      return begin();
    },
  };
}

/** The requests that wait for a turn. */
interface Waiters {
  count(): number;
  /** @returns whether a turn came; false when too many wait, or when no turn came in time */
  wait(address: string): Promise<boolean>;
  /** Gives a turn to the oldest request of the address that has waited longest for one. @returns whether one waited */
  giveTurn(): boolean;
}

type Waiter = (hasTurn: boolean) => void;

function createWaiters({ addressMax, allMax, waitMsMax }: typeof BOUNDS): Waiters {
  // The addresses are in the order of their next turns.
  const waiting = new Map<string, Set<Waiter>>();
  let count = 0;

  function remove(address: string, waiter: Waiter): void {
    const queue = waiting.get(address);
    if (queue?.delete(waiter) !== true) return;
    count -= 1;
    if (queue.size === 0) waiting.delete(address);
  }

  return {
    count: () => count,
    wait: (address) => {
      const queue = waiting.get(address) ?? new Set<Waiter>();
      if (queue.size >= addressMax || count >= allMax) return Promise.resolve(false);
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          remove(address, waiter);
          resolve(false);
        }, waitMsMax);
        const waiter: Waiter = (hasTurn) => {
          clearTimeout(timer);
          resolve(hasTurn);
        };
        waiting.set(address, queue.add(waiter));
        count += 1;
      });
    },
    giveTurn: () => {
      const [next] = waiting;
      if (next === undefined) return false;
      const [address, queue] = next;
      // The address goes to the end.
      waiting.delete(address);
      waiting.set(address, queue);
      const [waiter] = queue;
      if (waiter === undefined) return false;
      remove(address, waiter);
      waiter(true);
      return true;
    },
  };
}
