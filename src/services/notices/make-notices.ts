import type { App } from '../app.js';
import { newId } from '../../domain/ids.js';
import { transact } from '../../infra/db.js';
import { giveWay, type TaskOutcome } from '../maintenance/task.js';
import { sendMailQueue } from '../queues.js';
import {
  graceLapsesIn,
  grantsIn,
  lapsesIn,
  lockMark,
  lowBalancesIn,
  moveMark,
  takeMailDue,
} from './causes.sql.js';
import { insertNotices, NOTICES_AT_ONCE } from './notices.sql.js';

/** A slice is one minute of the ledger, or a part of a long time without this task. */
const SLICE_MS = 60_000;
const SLICES_MAX = 100;
const MAILS_AT_ONCE = 500;

/**
 * Makes the notices about points from what the ledger has recorded since the last run, because the commands of the ledger
 * must not be slower for them. Then hands all notices that are to be mailed to the mail queue. Idempotent: a notice is
 * made once for its cause. While another process runs it, it does nothing.
 */
export async function makeNotices(app: App, signal?: AbortSignal): Promise<TaskOutcome> {
  let changed = 0;
  for (let sliceMs: number | null = SLICE_MS; sliceMs !== null;) {
    signal?.throwIfAborted();
    const startedAt = performance.now();
    const made = await makeSlice(app, sliceMs);
    changed += made.notices;
    sliceMs = made.nextMs;
    if (sliceMs !== null) await giveWay(app, startedAt);
  }
  for (let mailed = MAILS_AT_ONCE; mailed === MAILS_AT_ONCE;) {
    signal?.throwIfAborted();
    mailed = await mailDue(app);
  }
  return { processed: changed, changed };
}

/**
 * Makes the notices of the next slice, or some of them: then the mark stays, and the next call makes more of the slice.
 * @returns their number, and the length of the slice of the next call; null at the end
 */
function makeSlice(
  app: App,
  lengthMs: number,
): Promise<{ readonly notices: number; readonly nextMs: number | null }> {
  return transact(app.db, async (tx) => {
    const mark = await lockMark(tx);
    if (mark === null) return { notices: 0, nextMs: null };
    // The clock may have been moved back.
    if (mark.readUntil >= mark.now) {
      await moveMark(tx, mark.now);
      return { notices: 0, nextMs: null };
    }
    const { readUntil: from, now } = mark;
    const behindMs = now.getTime() - from.getTime();
    const sliceMs = Math.max(lengthMs, behindMs / SLICES_MAX);
    const to = new Date(Math.min(now.getTime(), from.getTime() + Math.ceil(sliceMs)));
    const slice = { from, to };
    let notices = 0;
    for (const caused of [
      grantsIn(slice),
      lowBalancesIn(slice, app.config.credits.lowBelow),
      lapsesIn(slice),
      graceLapsesIn(slice),
    ]) {
      const written = await insertNotices(tx, caused);
      notices += written;
      if (written === NOTICES_AT_ONCE) return { notices, nextMs: lengthMs };
    }
    await moveMark(tx, to);
    return { notices, nextMs: to < now ? sliceMs : null };
  });
}

/** Enqueues mails in the transaction that takes their notices. @returns the number of mails */
const mailDue = (app: App): Promise<number> =>
  transact(app.db, async (tx) => {
    const due = await takeMailDue(tx, MAILS_AT_ONCE);
    const jobs = due.map(({ userId, noticeId }) => ({
      id: newId(),
      payload: { userId, mail: 'NOTICE' as const, noticeId },
    }));
    await app.queue.enqueue(tx, sendMailQueue, jobs);
    return due.length;
  });
