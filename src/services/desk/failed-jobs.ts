import { z } from 'zod';
import type { App } from '../app.js';
import { notFound } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { cursorsOf, pageOf, windowOf, type Page, type PageArguments } from '../../domain/paging.js';
import { isCleanText } from '../../domain/text.js';
import { redactMessage } from '../../infra/logging/redact.js';
import { ledgerKey } from '../credits/credits.js';
import type { FoundNode } from '../nodes.js';
import { hasQueue, readFailures, type FailedJobRow } from './failed-jobs.sql.js';

export type { FailedJobRow };

const micros = z.int().min(0);
const cursors = cursorsOf('failedJobs', z.tuple([micros, z.uuid()]));

/** The greatest length of a message in UTF-16 code units. */
const MESSAGE_MAX = 500;

/** The failed jobs of a queue, latest failure first. @throws NOT_FOUND, BAD_USER_INPUT */
export async function listFailedJobs(
  app: Pick<App, 'db'>,
  { queue, ...args }: PageArguments & { readonly queue: string },
): Promise<Page<FailedJobRow>> {
  const window = windowOf<readonly [number, string]>(args, cursors);
  if (!isCleanText(queue) || !(await hasQueue(app.db, queue))) throw notFound('queue');
  const rows = await readFailures(app.db, { window, queue });
  return pageOf<FailedJobRow, readonly [number, string]>(rows, window, cursors, (job) => [
    job.failedAtMicros,
    job.id,
  ]);
}

/** The message of the last failure on one line, without credentials, e-mail addresses and quoted values. */
export function failureOf({ message }: FailedJobRow): string {
  const safe = ['\n', '\r', '\t'].reduce(
    (text, space) => text.replaceAll(space, ' '),
    redactMessage(message ?? '').trim(),
  );
  return safe === '' ? 'No message.' : safe.slice(0, MESSAGE_MAX).toWellFormed();
}

/** What loads rows by their id in batches. */
interface Loading<Row> {
  load(key: string): Promise<Row | undefined>;
}

/** The narration or the user that the job is about. Null when it is about neither, or the row is gone. */
export async function targetOf(
  {
    audios,
    users,
  }: { audios: Loading<{ id: string; userId: string }>; users: Loading<{ id: string }> },
  { userId, audioId }: FailedJobRow,
): Promise<FoundNode | null> {
  if (userId === null || !isId(userId)) return null;
  if (audioId === null) {
    const user = await users.load(userId);
    return user === undefined ? null : { ...user, kind: 'User' };
  }
  const audio = isId(audioId) ? await audios.load(ledgerKey(userId, audioId)) : undefined;
  return audio === undefined ? null : { ...audio, kind: 'Audio' };
}
