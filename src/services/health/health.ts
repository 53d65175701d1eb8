import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app.js';
import { takesWrites } from './health.sql.js';

/** The services that this process depends on, and whether each answers. */
export interface Readiness {
  readonly database: boolean;
  readonly queue: boolean;
  readonly storage: boolean;
  /** Whether the speech provider is used. False while it rests after repeated failures. */
  readonly provider: boolean;
}

/**
 * The longest wait for a part. It is shorter than the timeout of common probes, so that the probe learns which part
 * hangs.
 */
const ANSWER_TIMEOUT_MS = 4_000;

/**
 * Checks all services that this process depends on. Each that fails or does not answer in time is logged with the
 * reason.
 */
export async function checkReadiness(app: App): Promise<Readiness> {
  const answers = async (what: keyof Readiness, asked: Promise<unknown>): Promise<boolean> => {
    try {
      await inTime(asked);
      return true;
    } catch (error) {
      app.log.warn({ event: 'not-ready', err: error, what }, 'not ready');
      return false;
    }
  };
  const [database, queue, storage] = await Promise.all([
    answers('database', checkDatabase(app)),
    answers('queue', app.queue.check()),
    answers('storage', app.storage.check()),
  ]);
  const resting = app.speech.resting();
  if (resting !== null)
    app.log.warn({ event: 'not-ready', what: 'provider', reason: resting }, 'not ready');
  return { database, queue, storage, provider: resting === null };
}

/**
 * Also opens a new connection, because existing ones may go on working while other programs use up all the rest.
 * @throws when the database accepts no connection, does not answer, or is read-only, like a standby that was not
 * promoted
 */
async function checkDatabase({
  db,
  checkConnecting,
}: Pick<App, 'db' | 'checkConnecting'>): Promise<void> {
  const [writes] = await Promise.all([takesWrites(db), checkConnecting()]);
  if (!writes) throw new Error('The database takes no writes.');
}

async function inTime(asked: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  const late = sleep(ANSWER_TIMEOUT_MS, null, { signal: over.signal }).then(() => {
    throw new Error(`No answer within ${String(ANSWER_TIMEOUT_MS)} ms.`);
  });
  try {
    await Promise.race([asked, late]);
  } finally {
    over.abort();
  }
}
