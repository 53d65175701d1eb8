import type { Budget, Hold } from './budget.js';

/** A cost of 1 is one object, or a ninetieth of the longest text, which has 200,000 characters. */
const BYTES_PER_COST = 2_300;
/** The memory of a request beside its answer. */
const REQUEST_BYTES = 16 * 1024;
/** No operation counts with more: an answer has at most 2,000,000 characters, which take two bytes each in memory. */
const ANSWER_BYTES_MAX = 4_000_000;
const WAITING_MAX = 1_000;
const WAIT_MS = 2_000;

interface Waiter {
  readonly address: string;
  readonly bytes: number;
  readonly resolve: (hold: Hold | null) => void;
}

export interface AnswerRoom {
  /**
   * Waits until there is room for the answer of an operation beside those of the operations that are running.
   * @param cost as documents are measured
   * @returns what the operation holds until it has answered; null when there was no room in time
   */
  take(address: string, cost: number): Promise<Hold | null>;
}

/**
 * Estimates the bytes of an answer from its cost and takes them from a budget. When they do not fit, the operation
 * waits for at most 2 s. At most 1,000 operations wait. When bytes are released, those that fit go on, the oldest first.
 */
export function createAnswerRoom(answers: Budget): AnswerRoom {
  const waiters = new Set<Waiter>();

  answers.onRelease(() => {
    for (const waiter of waiters) {
      if (!answers.fits(waiter.address, waiter.bytes)) continue;
      waiters.delete(waiter);
      waiter.resolve(answers.hold(waiter.address, waiter.bytes, null));
    }
  });

  return {
    take: async (address, cost) => {
      const bytes = Math.min(ANSWER_BYTES_MAX, REQUEST_BYTES + cost * BYTES_PER_COST);
      const taken = answers.tryHold(address, bytes, null);
      if (taken !== null || waiters.size >= WAITING_MAX) return taken;
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          waiters.delete(waiter);
          resolve(null);
        }, WAIT_MS);
        const waiter: Waiter = {
          address,
          bytes,
          resolve: (hold) => {
            clearTimeout(timer);
            resolve(hold);
          },
        };
        waiters.add(waiter);
      });
    },
  };
}
