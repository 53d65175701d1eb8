import { z } from 'zod';
import type { App } from '../../../app.js';
import { lastAdministrator, wrongPassword } from '../../../domain/errors.js';
import { newId } from '../../../domain/ids.js';
import { transact, type User } from '../../../infra/db.js';
import { writeAudit } from '../../audit.sql.js';
import { eraseAccountQueue } from '../../queues.js';
import { endSessions } from '../../sessions/sessions.sql.js';
import type { Viewer } from '../../sessions/viewer.js';
import { parseRequest } from '../../validation.js';
import { isAdministrator } from '../administration.js';
import { withPassword, type Credentials } from '../credentials.js';
import { closeAccount, lockStandings } from '../people.sql.js';

const deletion = z.object({ password: z.string().max(1000, 'must be at most 1,000 characters') });

/** What stands in the place of an address; nothing is ever delivered to `.invalid` (RFC 2606). */
const nobody = (id: string): string => `deleted-${id}@deleted.invalid`;

/**
 * Deletes the viewer's account. Who they were is gone with this commit, every device is signed out, and
 * their points are closed; narrations, files and what is left of the points follow in a job.
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
  app.log.info({ userId: id }, 'account deleted');
}

function erasePerson(app: App, { id, passwordHash }: Credentials): Promise<void> {
  return transact(app.db, async (tx) => {
    // The account before the person, in the order of whoever moves points and refers to their owner.
    await closeAccount(tx, id);
    const standings = await lockStandings(tx, [id]);
    const others = standings.filter((one) => one.id !== id);
    if (standings.some((one) => one.id === id && isAdministrator(one)) && others.length === 0)
      throw lastAdministrator();
    const at = new Date();
    // Someone else may have changed the password while it was checked, or deleted the account.
    const { count } = await tx.user.updateMany({
      where: { id, passwordHash, deletedAt: null },
      data: {
        email: nobody(id),
        emailVerifiedAt: null,
        passwordHash: '',
        displayName: null,
        role: 'USER',
        monthlyCredits: null,
        deletedAt: at,
      },
    });
    if (count === 0) throw wrongPassword();
    await endSessions(tx, { userId: id });
    await tx.emailToken.deleteMany({ where: { userId: id } });
    await writeAudit(tx, [{ actorId: id, action: 'deleteAccount', target: id, reason: null, at }]);
    await app.queue.enqueue(tx, eraseAccountQueue, [{ id: newId(), payload: { userId: id } }]);
  });
}
