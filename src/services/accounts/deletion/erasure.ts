import type { App } from '../../app.js';
import { asLotId, asUserId } from '../../../domain/ids.js';
import { transact } from '../../../infra/db.js';
import { storageKey } from '../../narrations/addresses.js';
import { failNarration } from '../../narrations/settle-attempt.js';
import { eraseExports } from '../export/data-export.js';
import { beginErasing } from '../../narrations/synthesis/recordings.sql.js';
import { forgetFile } from '../../narrations/synthesis/sentences.sql.js';
import type { EraseAccountPayload } from '../../queues.js';

const AT_ONCE = 100;

/**
 * Erases the data of a deleted account: unfinished narrations are stopped and refunded, all points are revoked,
 * recordings that no other account uses are deleted, and then the narrations and the devices. The ledger stays. Each
 * step is idempotent, so that an interrupted job continues where it was.
 */
export async function eraseAccount(
  app: App,
  { userId }: EraseAccountPayload,
  signal: AbortSignal,
): Promise<void> {
  const person = await app.db.user.findUnique({ where: { id: userId } });
  if (person?.deletedAt == null) throw new Error('Only who has left can be erased.');
  for (const step of [stopNarrations, revokePoints, eraseRecordings, eraseNarrations])
    while ((await step(app, userId)) > 0) signal.throwIfAborted();
  await eraseExports(app, userId);
  await app.db.session.deleteMany({ where: { userId } });
  app.log.info({ event: 'account-erased', userId }, 'account erased');
}

/** @returns the number of rows that it processed; the step is repeated until that is 0 */
type Step = (app: App, userId: string) => Promise<number>;

const ACCOUNT_DELETED = { reason: 'The account was deleted.', code: 'INTERNAL' } as const;

const stopNarrations: Step = async (app, userId) => {
  const underWay = await app.db.audio.findMany({
    where: { userId, status: { in: ['QUEUED', 'PROCESSING'] } },
    select: { id: true, attempt: true },
    take: AT_ONCE,
  });
  for (const { id: audioId, attempt } of underWay)
    await failNarration(app, { userId, audioId, attempt }, ACCOUNT_DELETED, null);
  return underWay.length;
};

const revokePoints: Step = async (app, userId) => {
  const open = await app.db.creditLot.findMany({
    where: { userId, remaining: { gt: 0 }, revokedAt: null },
    select: { id: true },
    take: AT_ONCE,
  });
  await Promise.all(
    open.map(({ id }) =>
      app.ledger.revoke({
        userId: asUserId(userId),
        lotId: asLotId(id),
        expectedRemaining: null,
        reason: 'The account was deleted.',
        actorId: null,
      }),
    ),
  );
  return open.length;
};

/**
 * Marks a recording, deletes its files, then its row, and then the narrations that refer to it. If this is interrupted
 * at any point, the next run finds the rest.
 */
const eraseRecordings: Step = async (app, userId) => {
  const used = await app.db.audio.findMany({
    where: { userId, renditionHash: { not: null } },
    select: { renditionHash: true },
    distinct: ['renditionHash'],
    take: AT_ONCE,
  });
  for (const { renditionHash: hash } of used) {
    if (hash === null) continue;
    const recording = storageKey(hash, 'mp3');
    const erasing = await transact(app.db, async (tx) => {
      const begun = await beginErasing(tx, { hash, userId });
      if (begun === 'marked') await forgetFile(tx, recording);
      return begun;
    });
    // The other job may still delete files, even if the recording were remade meanwhile.
    if (erasing === 'elsewhere') throw new Error('Another process is erasing this recording.');
    if (erasing === 'marked') {
      await app.storage.remove([recording, storageKey(hash, 'vtt')]);
      await app.db.rendition.deleteMany({ where: { hash, erasingSince: { not: null } } });
    }
    await app.db.audio.deleteMany({ where: { userId, renditionHash: hash } });
  }
  return used.length;
};

/** Deletes narrations that never became a recording, the favourites and the notices. Positions and bookmarks go with narrations. */
const eraseNarrations: Step = async (app, userId) => {
  await app.db.audioRequest.deleteMany({ where: { userId } });
  await app.db.favourite.deleteMany({ where: { userId } });
  await app.db.notice.deleteMany({ where: { userId } });
  const { count } = await app.db.audio.deleteMany({ where: { userId } });
  return count;
};
