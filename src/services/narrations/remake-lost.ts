import type { App } from '../../app.js';
import { newId } from '../../domain/ids.js';
import { transact } from '../../infra/db.js';
import { storageKey } from './addresses.js';
import { findAudio } from './audios.js';
import { writeQueuedAgain } from './narrations.sql.js';

/**
 * A recording that was paid for and whose file is lost, for a disk or a bucket may lose one, is made once more when
 * its owner asks for it: without a charge, and if it cannot be made its points come back, as those of any other.
 * While the storage cannot be asked it is left as it is.
 */
export async function remakeIfLost(
  app: App,
  { userId, audioId }: { userId: string; audioId: string },
): Promise<void> {
  const { status, renditionHash } = await findAudio(app, userId, audioId);
  if (status !== 'READY' || renditionHash === null || !(await isLost(app, renditionHash))) return;
  const jobId = newId();
  const begun = await transact(app.db, async (tx) => {
    const attempt = await writeQueuedAgain(tx, { userId, audioId, jobId });
    if (attempt === undefined) return false;
    const payload = { userId, audioId, attempt };
    await app.queue.enqueue(tx, app.synthesizeAudio, [{ id: jobId, payload }]);
    return true;
  });
  if (begun) app.log.warn({ userId, audioId }, 'a recording was lost, and is made once more');
}

async function isLost(app: App, renditionHash: string): Promise<boolean> {
  try {
    const files = (['mp3', 'vtt'] as const).map((ending) =>
      app.storage.stat(storageKey(renditionHash, ending)),
    );
    return (await Promise.all(files)).includes(null);
  } catch (error) {
    app.log.warn({ err: error }, 'a recording could not be looked for');
    return false;
  }
}
