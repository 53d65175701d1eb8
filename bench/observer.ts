/** Loaded into a process of the server that is measured: how long its event loop stood still, and its heap. */
import { readFileSync } from 'node:fs';

/** Since it was asked last. */
export interface Observed {
  /** The longest time for which nothing that was due was done. */
  readonly stallMs: number;
  /** The most that the thread computed between two looks: what is beyond it in a stall, the machine took. */
  readonly computedMs: number;
  /** JavaScript's objects, after garbage was collected; and what they hold outside the heap. */
  readonly heapMb: number;
  readonly externalMb: number;
}

const LOOK_EVERY_MS = 5;
const MS = 1_000_000;
const MB = 1024 * 1024;

/** Milliseconds for which this thread has had a processor; 0 where nobody counts. */
function busyMs(): number {
  try {
    const counts = readFileSync(`/proc/self/task/${String(process.pid)}/schedstat`, 'utf8');
    return Number(counts.split(' ')[0]) / MS;
  } catch {
    return 0;
  }
}

let [stallMs, computedMs] = [0, 0];
let [lookedAt, busy] = [performance.now(), busyMs()];

const forget = (): void => {
  [stallMs, computedMs] = [0, 0];
  [lookedAt, busy] = [performance.now(), busyMs()];
};

setInterval(() => {
  const [now, busyNow] = [performance.now(), busyMs()];
  stallMs = Math.max(stallMs, now - lookedAt - LOOK_EVERY_MS);
  computedMs = Math.max(computedMs, busyNow - busy);
  [lookedAt, busy] = [now, busyNow];
}, LOOK_EVERY_MS).unref();

process.on('message', () => {
  const seen = { stallMs, computedMs };
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  process.send?.({ ...seen, heapMb: heapUsed / MB, externalMb: external / MB } satisfies Observed);
  forget();
});
process.channel?.unref();
