import { z } from 'zod';
import type { App } from '../../app.js';
import { lastAdministrator, wrongPassword } from '../../../domain/errors.js';
import { newId } from '../../../domain/ids.js';
import { transact, type User } from '../../../infra/db.js';
import { changed, writeAudit } from '../../audit.sql.js';
import { eraseAccountQueue } from '../../queues.js';
import { endSessions } from '../../sessions/sessions.sql.js';
import type { Viewer } from '../../sessions/viewer.js';
import { parseRequest } from '../../validation.js';
import { isAdministrator } from '../administration.js';
import { withPassword, type Credentials } from '../credentials.js';
import { closeAccount, lockStandings } from '../people.sql.js';

const deletion = z.object({ password: z.string().max(1000, 'must be at most 1,000 characters') });

/** The address of a deleted account. Mail to `.invalid` is never delivered (RFC 2606). */
const placeholderAddressOf = (id: string): string => `deleted-${id}@deleted.invalid`;

/**
 * Deletes the viewer's account. This commit erases the personal data, signs every device out and closes the points. A
 * job then erases narrations, files and remaining points.
 * @throws BAD_USER_INPUT, INVALID_CREDENTIALS, CONFLICT for the last administrator
 */
export async function deleteAccount(
  app: App,
  viewer: Viewer,
  input: { password: string },
): Promise<void> {
  const { password } = parseRequest(deletion, input);
  const { userId: id } = viewer;
  const find = (): Promise<User | null> =>
    app.db.user.findFirst({ where: { id, deletedAt: null } });
  await withPassword(find, password, wrongPassword, ({ passwordHash }) =>
    erasePerson(app, { id, passwordHash }),
  );
  app.sessionStates.forget(id);
  app.log.info({ event: 'account-deleted', userId: id }, 'account deleted');
}

function erasePerson(app: App, { id, passwordHash }: Credentials): Promise<void> {
  return transact(app.db, async (tx) => {
    // The account is locked before the user, in the lock order of commands, which lock the account and then refer to
    // its user.
    await closeAccount(tx, id);
    const standings = await lockStandings(tx, [id]);
    const others = standings.filter((one) => one.id !== id);
    if (standings.some((one) => one.id === id && isAdministrator(one)) && others.length === 0)
      throw lastAdministrator();
    const at = new Date();
    // A concurrent request may have changed the password or deleted the account while the password was checked.
    const { count } = await tx.user.updateMany({
      where: { id, passwordHash, deletedAt: null },
      data: {
        email: placeholderAddressOf(id),
        emailVerifiedAt: null,
        passwordHash: '',
        displayName: null,
        role: 'USER',
        monthlyCredits: null,
        locale: 'en',
        mailOn: [],
        deletedAt: at,
      },
    });
    if (count === 0) throw wrongPassword();
    const sessionsEnded = (await endSessions(tx, { userId: id })).length;
    await tx.emailToken.deleteMany({ where: { userId: id } });
    await tx.emailChange.deleteMany({ where: { userId: id } });
    await tx.formerEmail.deleteMany({ where: { userId: id } });
    const details = { deletedAt: changed(null, at), sessionsEnded };
    const action = 'deleteAccount';
    await writeAudit(tx, [{ actorId: id, action, target: id, reason: null, details, at }]);
    await app.queue.enqueue(tx, eraseAccountQueue, [{ id: newId(), payload: { userId: id } }]);
  });
}
