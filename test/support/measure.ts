import { expect } from '@jest/globals';

/** How long something takes, in milliseconds. */
export async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** How much processor time this process takes for something, in milliseconds. */
export async function ownProcessorTimeOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

const PARSED = JSON.stringify(
  Array.from({ length: 20_000 }, (_, at) => ({ name: `k${String(at)}`, at })),
);
/** The processor time that this takes on a machine like those that the limits of the tests were made for. */
const PARSED_MS = 20;

/** How many times slower the processor is than those that the limits of the tests were made for; 1 if it is faster. */
async function slowness(): Promise<number> {
  let least = Infinity;
  for (let times = 0; times < 3 && least > PARSED_MS; times += 1)
    least = Math.min(
      least,
      await ownProcessorTimeOf(() => Promise.resolve(JSON.stringify(JSON.parse(PARSED)))),
    );
  return Math.max(1, least / PARSED_MS);
}

/**
 * How much processor time a server takes for something, in milliseconds. Unlike the time on a clock it does not grow
 * with what else the machine is doing. On a processor that is several times slower it is divided by as much. Asking for
 * it costs some five milliseconds, which are in it.
 */
export async function processorTimeOf(url: string, work: () => Promise<unknown>): Promise<number> {
  const secondsSoFar = async (): Promise<number> => {
    const metrics = await (await fetch(`${url}/metrics`)).text();
    return Number(/^talebank_process_cpu_seconds_total (\S+)$/m.exec(metrics)?.[1]);
  };
  const before = await secondsSoFar();
  await work();
  return (((await secondsSoFar()) - before) * 1000) / (await slowness());
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
