import inspector from 'node:inspector';
import { Worker } from 'node:worker_threads';

/** The interval at which the event loop reports that it runs, and at which the thread checks that. */
export const BEAT_MS = 250;
/** Places in the shared memory: the count of beats, and 1 while a debugger may stop the event loop. */
export const BEATS = 0;
export const DEBUGGED = 1;

/** What the thread needs to know. */
export interface WatchdogData {
  readonly shared: SharedArrayBuffer;
  readonly stallSeconds: number;
  /** Null: nothing is logged. */
  readonly logFormat: 'json' | 'pretty' | null;
}

/**
 * Ends this process with SIGKILL when its event loop stands still for so long. A thread of its own watches, because
 * nothing that runs on the event loop could, neither a time-out nor the handler of SIGTERM. The thread counts its own
 * rounds, so that time during which the whole process stands still does not count.
 * @param options.stallSeconds 0: nothing is watched
 */
export function startWatchdog(options: {
  stallSeconds: number;
  logFormat: WatchdogData['logFormat'];
  onError: (error: Error) => void;
}): void {
  if (options.stallSeconds === 0) return;
  const shared = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
  const state = new Int32Array(shared);
  const { stallSeconds, logFormat } = options;
  const workerData: WatchdogData = { shared, stallSeconds, logFormat };
  const thread = new Worker(new URL('./watchdog-thread.js', import.meta.url), {
    name: 'watchdog',
    workerData,
    // It needs nothing of what the process was started with.
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 4 },
  });
  thread.on('error', options.onError);
  thread.unref();
  setInterval(() => {
    Atomics.add(state, BEATS, 1);
    Atomics.store(state, DEBUGGED, inspector.url() === undefined ? 0 : 1);
  }, BEAT_MS).unref();
}
