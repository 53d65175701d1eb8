import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestDatabase } from './cluster.js';

/** Long, because it costs nothing when all is well, and a slow machine may stand still for many seconds. */
export const PATIENCE_MS = 120_000;

const PAUSE_MS_MIN = 50;
const PAUSE_MS_MAX = 250;

/**
 * Waits a moment before something is looked at again. The pauses get longer in the first two seconds, because each look
 * takes processor time.
 */
export const pauseSince = (startedMs: number): Promise<void> =>
  sleep(Math.min(PAUSE_MS_MAX, Math.max(PAUSE_MS_MIN, (Date.now() - startedMs) / 8)));

/** Waits until something is so. @throws when it never is */
export async function until(
  what: string,
  isSo: () => Promise<boolean> | boolean,
  timeoutMs = PATIENCE_MS,
): Promise<void> {
  const startedMs = Date.now();
  while (!(await isSo())) {
    if (Date.now() > startedMs + timeoutMs) throw new Error(`It never came about that ${what}.`);
    await pauseSince(startedMs);
  }
}

/** Whether a process is alive. One that has ended, and whose parent has not asked for that yet, is not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  if (process.platform !== 'linux') return true;
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}

/** Keeps narrations that are ordered from now on from being begun. @returns what lets them begin */
export async function holdNarrations({
  sql,
}: Pick<TestDatabase, 'sql'>): Promise<() => Promise<unknown>> {
  await sql(`
    CREATE FUNCTION hold_narration() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      NEW.start_after := now() + interval '1 hour';
      RETURN NEW;
    END $$;
    CREATE TRIGGER hold_narration BEFORE INSERT ON pgboss.job FOR EACH ROW
      WHEN (NEW.name = 'synthesize-audio') EXECUTE FUNCTION hold_narration()`);
  return () =>
    sql(`
      DROP TRIGGER hold_narration ON pgboss.job;
      DROP FUNCTION hold_narration;
      UPDATE pgboss.job SET start_after = now() WHERE name = 'synthesize-audio' AND state = 'created'`);
}
