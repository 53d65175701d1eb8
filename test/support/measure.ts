import { expect } from '@jest/globals';

/** How long something takes, in milliseconds. */
export async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

const cpuTimeOf = (work: () => void): number => {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
};

const ROWS = JSON.stringify(
  Array.from({ length: 4000 }, (_, at) => ({ name: `name ${String((at * 7919) % 4001)}`, at })),
);
/** The processor time that `sortRows` takes on the machine that the limits of the tests were chosen on. */
const SORT_ROWS_MS = 5;

function sortRows(): void {
  const rows = JSON.parse(ROWS) as { name: string; at: number }[];
  rows.sort((a, b) => (a.name < b.name ? -1 : 1));
  if (new Map(rows.map(({ name, at }) => [name, at])).size !== rows.length)
    throw new Error('The names are not different.');
}

/**
 * How many times slower this machine is now than the one that the limits were chosen on, at least 1. The speed changes
 * while the tests run, because other work shares the caches and the cores.
 */
const slowness = (): number =>
  Math.max(1, Math.min(...Array.from({ length: 5 }, () => cpuTimeOf(sortRows))) / SORT_ROWS_MS);

/**
 * @param spent returns the milliseconds of processor time that were spent so far
 * @returns what `work` spends, divided by the slowness of this machine
 */
async function comparableTimeOf(
  spent: () => Promise<number>,
  work: () => Promise<unknown>,
): Promise<number> {
  const slownessBefore = slowness();
  const before = await spent();
  await work();
  const used = (await spent()) - before;
  return used / ((slownessBefore + slowness()) / 2);
}

/** The processor time that this process takes for something, in milliseconds of the machine of the limits. */
export const ownProcessorTimeOf = (work: () => Promise<unknown>): Promise<number> =>
  comparableTimeOf(() => {
    const { user, system } = process.cpuUsage();
    return Promise.resolve((user + system) / 1000);
  }, work);

/**
 * The processor time that a server takes for something, in milliseconds of the machine of the limits. Unlike the time
 * on a clock, it does not grow with other work on the machine. It includes about five milliseconds for the metrics.
 */
export const processorTimeOf = (url: string, work: () => Promise<unknown>): Promise<number> =>
  comparableTimeOf(async () => {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    return Number(/^talebank_process_cpu_seconds_total (\S+)$/m.exec(metrics)?.[1]) * 1000;
  }, work);

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
