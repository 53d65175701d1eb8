import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app.js';

/** Metrics that are read together. */
export interface Figure {
  /** Reads them and sets the metrics. */
  readonly read: (app: App) => Promise<void>;
  /** For how long they are not read again. */
  readonly keepMs: number;
  /** The same, at most, after a read that took long. */
  readonly keepMaxMs: number;
  /** How long an answer waits for them. It has the values from before when that is not enough. */
  readonly waitMs: number;
}

/** An answer waits this long for figures that were never read. */
const FIRST_WAIT_MS = 2_000;
/** A figure that takes long is kept for so many times as long as it took, within its limit. */
const KEPT_FACTOR = 100;

/** A figure with its values from before. */
export interface KeptFigure {
  /** Reads the figure if it is old, and waits for that within its limit. @returns false when its values are old */
  refresh(): Promise<boolean>;
}

/** Keeps a figure. It is read once at a time, however many scrapes ask for it. */
export function keepFigure(app: App, { read, keepMs, keepMaxMs, waitMs }: Figure): KeptFigure {
  let reading: Promise<boolean> | null = null;
  let freshUntil = -Infinity;
  let hasValues = false;
  let isFailing = false;
  const readNow = async (): Promise<boolean> => {
    const startedAt = performance.now();
    try {
      await read(app);
      hasValues = true;
      isFailing = false;
    } catch (error) {
      isFailing = true;
      app.log.warn(
        { event: 'metrics-not-read', err: error },
        'metrics could not be read from the database',
      );
    }
    const now = performance.now();
    const longerMs = Math.min(keepMaxMs, (now - startedAt) * KEPT_FACTOR);
    freshUntil = now + Math.max(keepMs, longerMs);
    reading = null;
    return !isFailing;
  };
  return {
    refresh: async () => {
      if (performance.now() < freshUntil) return !isFailing;
      reading ??= readNow();
      const waited = new AbortController();
      // A figure that is kept may be old, so that its values count until it fails. Others are to be as of now.
      const late = sleep(hasValues ? waitMs : FIRST_WAIT_MS, null, { signal: waited.signal }).then(
        () => keepMs > 0 && hasValues && !isFailing,
        () => true,
      );
      const isRead = await Promise.race([reading, late]);
      waited.abort();
      return isRead;
    },
  };
}
