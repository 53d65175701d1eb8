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

type Waiter = (hasTurn: boolean) => void;

/**
 * @param pause `always`, or only when another request waits at the end of a turn
 * @param bounds of what waits: for each address, for all, and how long
 */
export function createLane(
  pause: keyof typeof PAUSE_FACTORS,
  { addressMax, allMax, waitMsMax } = BOUNDS,
): Lane {
  // In the order of their next turns.
  const waiting = new Map<string, Set<Waiter>>();
  let waitingCount = 0;
  let taken = false;

  function remove(address: string, waiter: Waiter): void {
    const queue = waiting.get(address);
    if (queue?.delete(waiter) !== true) return;
    waitingCount -= 1;
    if (queue.size === 0) waiting.delete(address);
  }

  function startNext(): void {
    const next = waiting.entries().next();
    if (next.done === true) {
      taken = false;
      return;
    }
    const [address, queue] = next.value;
    const [waiter] = queue;
    // The address goes to the end.
    waiting.delete(address);
    waiting.set(address, queue);
    if (waiter === undefined) return;
    remove(address, waiter);
    waiter(true);
  }

  function waitForTurn(address: string): Promise<boolean> {
    const queue = waiting.get(address) ?? new Set<Waiter>();
    if (queue.size >= addressMax || waitingCount >= allMax) return Promise.resolve(false);
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
      waitingCount += 1;
    });
  }

  /** @returns ends the turn that begins now */
  function begin(): () => void {
    const startedMs = performance.now();
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      const pauses = pause === 'always' || waiting.size > 0;
      const pauseMs = pauses ? PAUSE_FACTORS[pause] * (performance.now() - startedMs) : 0;
      if (pauseMs === 0) startNext();
      else void sleep(pauseMs).then(startNext);
    };
  }

  return {
    enter: async (address) => {
      if (taken && !(await waitForTurn(address))) return null;
      taken = true;
      return begin();
    },
  };
}
