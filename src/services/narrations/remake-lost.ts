import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app.js';
import { newId } from '../../domain/ids.js';
import { transact } from '../../infra/db.js';
import { synthesizeAudioQueue } from '../queues.js';
import { findAudio } from './audios.js';
import { isStored } from './files.js';
import { writeQueuedAgain } from './narrations.sql.js';

/** The longest wait for the storage, because a slow storage must not delay requests for narrations that exist. */
const LOOK_WITHIN_MS = 1_000;

/**
 * Queues a READY narration again if its files are lost, because a disk or a bucket may lose a file that was paid for.
 * The owner is not charged, and if it cannot be remade, its debit is refunded like any other. If the storage does not
 * answer, the narration is left as it is.
 */
export async function remakeIfLost(
  app: App,
  { userId, audioId }: { userId: string; audioId: string },
): Promise<void> {
  const { readyAt, renditionHash: hash, lengthBytes } = await findAudio(app, userId, audioId);
  if (readyAt === null || hash === null || lengthBytes === null) return;
  if (!(await isLost(app, { hash, lengthBytes }))) return;
  const jobId = newId();
  const begun = await transact(app.db, async (tx) => {
    const attempt = await writeQueuedAgain(tx, { userId, audioId, jobId, readyAt });
    if (attempt === undefined) return false;
    const payload = { userId, audioId, attempt };
    await app.queue.enqueue(tx, synthesizeAudioQueue, [{ id: jobId, payload }]);
    return true;
  });
  if (begun)
    app.log.warn(
      { event: 'recording-lost', userId, audioId },
      'a recording was lost, and is made once more',
    );
}

async function isLost(
  app: App,
  recording: { readonly hash: string; readonly lengthBytes: number },
): Promise<boolean> {
  const answered = new AbortController();
  const looking = isStored(app, recording).then(
    (stored) => !stored,
    (error: unknown) => {
      app.log.warn(
        { event: 'recording-not-found-out', err: error },
        'a recording could not be looked for',
      );
      return false;
    },
  );
  const tired = sleep(LOOK_WITHIN_MS, false, { signal: answered.signal }).catch(() => false);
  const lost = await Promise.race([looking, tired]);
  answered.abort();
  return lost;
}
