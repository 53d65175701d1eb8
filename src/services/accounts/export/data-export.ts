import { z } from 'zod';
import type { App } from '../../app.js';
import { wrongPassword } from '../../../domain/errors.js';
import { newId } from '../../../domain/ids.js';
import { sha256Hex } from '../../../domain/text.js';
import { transact, type User } from '../../../infra/db.js';
import { writeAudit } from '../../audit.sql.js';
import type { StatementFile } from '../../accounting/period-statement.js';
import { signed } from '../../narrations/addresses.js';
import { exportDataQueue } from '../../queues.js';
import type { Viewer } from '../../sessions/viewer.js';
import { parseRequest } from '../../validation.js';
import { withPassword } from '../credentials.js';
import { lockPerson } from '../people.sql.js';
import { insertExport, readExport, readRecentExport, type DataExport } from './data-export.sql.js';

const request = z.object({ password: z.string().max(1000, 'must be at most 1,000 characters') });

/** The path of signed addresses of archives. */
export const EXPORTS_PATH = '/exports';

/** The key that is signed for an archive. */
export const exportKey = (userId: string, id: string): string => `export/${userId}/${id}`;

/** The key of the archive in the storage. The sweep removes it after a day, because no recording has it. */
export const exportFileKey = (userId: string, id: string): string =>
  `${sha256Hex(exportKey(userId, id))}.gz`;

/**
 * Has a job make an archive of the viewer's data. The address is known at once, and answers 202 until the archive is
 * complete. A request within an hour of another one gets the same archive.
 * @throws BAD_USER_INPUT, INVALID_CREDENTIALS
 */
export async function exportData(
  app: App,
  { userId: id }: Viewer,
  input: { password: string },
): Promise<StatementFile> {
  const { password } = parseRequest(request, input);
  const find = (): Promise<User | null> =>
    app.db.user.findFirst({ where: { id, deletedAt: null } });
  const made = await withPassword(find, password, wrongPassword, ({ passwordHash }) =>
    beginExport(app, id, passwordHash),
  );
  const { expiresAt, rows } = made;
  const path = `${EXPORTS_PATH}/${id}/${made.id}.json`;
  const about = { title: 'talebank data', expiresAt };
  return { url: await signed(app, path, exportKey(id, made.id), about), expiresAt, rows };
}

const beginExport = (app: App, userId: string, passwordHash: string): Promise<DataExport> =>
  transact(app.db, async (tx) => {
    await lockPerson(tx, userId);
    // A concurrent request may have changed the password or deleted the account while the password was checked.
    const same = { id: userId, passwordHash, deletedAt: null };
    if ((await tx.user.count({ where: same })) === 0) throw wrongPassword();
    const recent = await readRecentExport(tx, userId);
    if (recent !== undefined) return recent;
    const made = await insertExport(tx, { userId, id: newId() });
    const payload = { userId, exportId: made.id };
    await app.queue.enqueue(tx, exportDataQueue, [{ id: newId(), payload }]);
    const action = 'exportMyData';
    const details = { records: made.rows };
    await writeAudit(tx, [
      { actorId: userId, action, target: userId, reason: null, details, at: new Date() },
    ]);
    return made;
  });

/** Whether the archive at an address is complete, is being made, or is gone. */
export async function stateOfExport(
  app: Pick<App, 'db'>,
  wanted: { userId: string; id: string },
): Promise<'ready' | 'making' | 'gone'> {
  const found = await readExport(app.db, wanted);
  if (found === undefined) return 'gone';
  return found.readyAt === null ? 'making' : 'ready';
}

/** Removes the archives of a user who has left. */
export async function eraseExports(app: App, userId: string): Promise<void> {
  const kept = await app.db.dataExport.findMany({ where: { userId }, select: { id: true } });
  await app.storage.remove(kept.map(({ id }) => exportFileKey(userId, id)));
  await app.db.dataExport.deleteMany({ where: { userId } });
}
