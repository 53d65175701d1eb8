/** The thread that watches the event loop of its process; see watchdog.ts. */
import { write } from 'node:fs';
import { workerData } from 'node:worker_threads';
import type { Line } from '../logging/events.js';
import { BEAT_MS, BEATS, DEBUGGED, type WatchdogData } from './watchdog.js';

const { shared, stallSeconds, logFormat } = workerData as WatchdogData;
const state = new Int32Array(shared);
const roundsMax = (stallSeconds * 1000) / BEAT_MS;
/** A line that the reader of the log does not take must not keep the process alive. */
const WRITE_TIMEOUT_MS = 1_000;

let beats = Atomics.load(state, BEATS);
let rounds = 0;

setInterval(() => {
  const now = Atomics.load(state, BEATS);
  rounds = now === beats && Atomics.load(state, DEBUGGED) === 0 ? rounds + 1 : 0;
  beats = now;
  if (rounds === Math.ceil(roundsMax)) end();
}, BEAT_MS);

function end(): void {
  const kill = (): void => {
    process.kill(process.pid, 'SIGKILL');
  };
  if (logFormat === null) {
    kill();
    return;
  }
  setTimeout(kill, WRITE_TIMEOUT_MS);
  // Written by a thread of the pool, so that a full pipe stops neither this thread nor its timer.
  write(1, lineOf(new Date()), kill);
}

function lineOf(at: Date): string {
  const message = `the event loop stood still for ${String(stallSeconds)} s, so this process ends itself: start it again`;
  const event: Line<'event-loop-stalled'> = { event: 'event-loop-stalled', stallSeconds };
  if (logFormat === 'json') {
    const line = { level: 'fatal', time: at.toISOString(), ...event, msg: message };
    return `${JSON.stringify(line)}\n`;
  }
  return `[${at.toTimeString().slice(0, 8)}] FATAL: ${message}\n`;
}
