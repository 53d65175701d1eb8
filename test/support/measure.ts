import { expect } from '@jest/globals';

/** How long something takes, in milliseconds. */
export async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/**
 * Expects a time, or an amount of memory, to be below a limit. Whatever else the machine is doing can only make it
 * larger, so the least of four counts: what is slow or leaks by itself does so each time.
 */
export async function expectBelow(limit: number, measure: () => Promise<number>): Promise<void> {
  let least = Infinity;
  for (let attempt = 0; attempt < 4 && least >= limit; attempt += 1) {
    least = Math.min(least, await measure());
  }
  expect(least).toBeLessThan(limit);
}
