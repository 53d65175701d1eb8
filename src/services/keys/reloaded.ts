import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../../infra/log.js';

/** How old the known keys of a process may be. */
const RELOAD_MS = 10_000;
/**
 * How old they may be when a request uses an unknown key. It bounds the queries that made-up keys can cause.
 */
export const LOOK_AGAIN_MS = 1_000;

interface Wanted {
  /** How old the keys may be. */
  readonly atMostMs?: number;
  /** How long to wait for the database before the keys that are known are returned. */
  readonly waitMs?: number;
}

/** Returns the keys, read again if they are too old. Never rejects: the keys that are known are returned. */
export type Reloaded<Keys> = (wanted?: Wanted) => Promise<Keys>;

/**
 * Reads keys, and reads them again when they are asked for and too old. At most one read is under way.
 * @throws what the first read throws
 */
export async function openReloaded<Keys>(
  read: () => Promise<Keys>,
  log: Logger,
): Promise<Reloaded<Keys>> {
  let keys = await read();
  let readAt = performance.now();
  let failedAt = -Infinity;
  let reading: { readonly done: Promise<void>; readonly since: number } | null = null;
  const reload = async (since: number): Promise<void> => {
    try {
      keys = await read();
      readAt = since;
    } catch (error) {
      failedAt = performance.now();
      // The known keys stay in use. Other code reports an unreachable database.
      log.warn({ event: 'signing-keys-not-read', err: error }, 'signing keys not read');
    } finally {
      reading = null;
    }
  };
  return async ({ atMostMs = RELOAD_MS, waitMs = Infinity } = {}) => {
    const now = performance.now();
    if (now - readAt <= atMostMs) return keys;
    // Requests that do not need the database must not be slowed down by one that is away.
    if (waitMs < Infinity && now - failedAt < LOOK_AGAIN_MS) return keys;
    reading ??= { done: reload(now), since: now };
    const { done, since } = reading;
    if (waitMs === Infinity) await done;
    else await Promise.race([done, sleep(Math.max(0, since + waitMs - now), null, { ref: false })]);
    return keys;
  };
}
