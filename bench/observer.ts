/** Loaded into a process of the server that is measured: how long its event loop stood still, and its heap. */
import { readFileSync } from 'node:fs';

/** Since it was asked last. */
export interface Observed {
  /** The longest time for which nothing that was due was done. */
  readonly stallMs: number;
  /** How much of it the thread waited for a processor that the machine gave to others. */
  readonly waitedMs: number;
  /** The most that the thread computed between two looks. */
  readonly computedMs: number;
  /** JavaScript's objects, after garbage was collected; and what they hold outside the heap. */
  readonly heapMb: number;
  readonly externalMb: number;
}

const LOOK_EVERY_MS = 5;
const MS = 1_000_000;
const MB = 1024 * 1024;

/** Milliseconds for which this thread has had a processor, and has waited for one; 0 where the system does not count them. */
function schedule(): { busy: number; waited: number } {
  try {
    const counts = readFileSync(`/proc/self/task/${String(process.pid)}/schedstat`, 'utf8');
    const [busy = 0, waited = 0] = counts.split(' ').map((ns) => Number(ns) / MS);
    return { busy, waited };
  } catch {
    return { busy: 0, waited: 0 };
  }
}

const NOTHING = { stallMs: 0, waitedMs: 0, computedMs: 0 };
let seen = NOTHING;
let before = { at: performance.now(), ...schedule() };

function look(): void {
  const now = { at: performance.now(), ...schedule() };
  const stallMs = now.at - before.at - LOOK_EVERY_MS;
  const computedMs = Math.max(seen.computedMs, now.busy - before.busy);
  seen =
    stallMs > seen.stallMs
      ? { stallMs, waitedMs: now.waited - before.waited, computedMs }
      : { ...seen, computedMs };
  before = now;
}
setInterval(look, LOOK_EVERY_MS).unref();

process.on('message', (message) => {
  if (message !== 'observe') return;
  const told = seen;
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  process.send?.({ ...told, heapMb: heapUsed / MB, externalMb: external / MB } satisfies Observed);
  [seen, before] = [NOTHING, { at: performance.now(), ...schedule() }];
});
process.channel?.unref();
