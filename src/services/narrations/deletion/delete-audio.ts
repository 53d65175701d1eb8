import type { App } from '../../app.js';
import { conflict, notFound } from '../../../domain/errors.js';
import { isId, newId } from '../../../domain/ids.js';
import { transact, type Tx } from '../../../infra/db.js';
import type { Viewer } from '../../sessions/viewer.js';
import { eraseRecordingQueue, type EraseRecordingPayload } from '../../queues.js';
import { storageKey } from '../addresses.js';
import { forgetFile } from '../synthesis/sentences.sql.js';
import { lockNarration } from '../narrations.sql.js';
import { isMarked, markAbandoned, markUnused, readAbandoned } from './erasing.sql.js';

/**
 * Deletes one of the viewer's narrations with its position and bookmarks. Its points are not refunded, and its movements
 * stay in the ledger. The recording is marked in the same commit if no other narration uses it, and a job deletes its
 * files.
 * @throws NOT_FOUND; CONFLICT while it is being made, because it can be cancelled for a refund
 */
export async function deleteAudio(app: App, { userId }: Viewer, audioId: string): Promise<void> {
  if (!isId(audioId)) throw notFound('audio');
  await transact(app.db, async (tx) => {
    const found = await lockNarration(tx, { userId, audioId });
    if (found === undefined) throw notFound('audio');
    if (found.status === 'QUEUED' || found.status === 'PROCESSING')
      throw conflict('This narration is being made. Cancel it first.');
    const { renditionHash: hash } = await tx.audio.delete({
      where: { userId_id: { userId, id: audioId } },
      select: { renditionHash: true },
    });
    if (hash === null || !(await markUnused(tx, { hash, userId, audioId }))) return;
    await enqueueErasure(app, tx, hash);
  });
  app.log.info({ event: 'narration-deleted', userId, audioId }, 'narration deleted');
}

/** In the commit that marks a recording: forgets its sentences, and enqueues the job that deletes its files. */
async function enqueueErasure(app: App, tx: Tx, hash: string): Promise<void> {
  await forgetFile(tx, storageKey(hash, 'mp3'));
  await app.queue.enqueue(tx, eraseRecordingQueue, [{ id: newId(), payload: { hash } }]);
}

/** A recording that no narration uses stays so long, because it need not be made again if someone asks for it. */
const ABANDONED_KEPT_DAYS = 30;

/**
 * Erases a batch of recordings that no narration uses any more: their narrations were cancelled or have failed, or were
 * made anew with another voice or other settings.
 * @returns how many
 */
export async function eraseAbandoned(app: App, limit: number): Promise<number> {
  const hashes = await readAbandoned(app.db, { days: ABANDONED_KEPT_DAYS, limit });
  for (const hash of hashes)
    await transact(app.db, async (tx) => {
      if (await markAbandoned(tx, hash)) await enqueueErasure(app, tx, hash);
    });
  return hashes.length;
}

/** The job: deletes the files of a marked recording, and then its row. A recording that was made since then is kept. */
export async function eraseRecording(app: App, { hash }: EraseRecordingPayload): Promise<void> {
  if (!(await isMarked(app.db, hash))) return;
  await app.storage.remove([storageKey(hash, 'mp3'), storageKey(hash, 'vtt')]);
  await app.db.rendition.deleteMany({ where: { hash, erasingSince: { not: null } } });
}
