import type { App } from '../app.js';
import { takesWrites } from './health.sql.js';

/** What this process needs to do its work, and whether it answers. */
export interface Readiness {
  readonly database: boolean;
  readonly queue: boolean;
  readonly storage: boolean;
  /** Whether sentences are sent to the speech provider, or it rests because it keeps failing. */
  readonly provider: boolean;
}

/** Asks everything that this process needs. What does not answer is logged with its reason. */
export async function checkReadiness(app: App): Promise<Readiness> {
  const answers = async (what: keyof Readiness, asked: Promise<unknown>): Promise<boolean> => {
    try {
      await asked;
      return true;
    } catch (error) {
      app.log.warn({ err: error, what }, 'not ready');
      return false;
    }
  };
  const [database, queue, storage] = await Promise.all([
    answers('database', checkDatabase(app)),
    answers('queue', app.queue.check()),
    answers('storage', app.storage.check()),
  ]);
  const resting = app.speech.resting();
  if (resting !== null) app.log.warn({ what: 'provider', reason: resting }, 'not ready');
  return { database, queue, storage, provider: resting === null };
}

/** @throws when it does not answer, or takes no writes, as a standby that nobody has promoted yet */
async function checkDatabase({ db }: Pick<App, 'db'>): Promise<void> {
  if (!(await takesWrites(db))) throw new Error('The database takes no writes.');
}
