/**
 * Watches over a speaking process, because the engine blocks its main thread: ends it when it takes too much memory,
 * and when the server that started it has ended.
 */
import { workerData } from 'node:worker_threads';
import type { WatchOrder } from './messages.js';

const LOOK_EVERY_MS = 100;
const { mostBytes, parent } = workerData as WatchOrder;

setInterval(() => {
  if (process.memoryUsage.rss() > mostBytes || process.ppid !== parent)
    process.kill(process.pid, 'SIGKILL');
}, LOOK_EVERY_MS);
