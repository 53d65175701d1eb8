import { z } from 'zod';
import type { App } from '../app.js';
import { wrongPassword } from '../../domain/errors.js';
import { transact, type User } from '../../infra/db.js';
import { hashPassword } from '../../infra/passwords.js';
import { writeAudit } from '../audit.sql.js';
import { endSessions } from '../sessions/sessions.sql.js';
import { issueTokens, openSession, type Device, type SignedIn } from '../sessions/sessions.js';
import type { Viewer } from '../sessions/viewer.js';
import { parseRequest, password } from '../validation.js';
import { withPassword } from './credentials.js';
import { dropPendingChange } from './email-change/email-change.js';
import { expireExports } from './export/data-export.sql.js';
import { enqueueMail } from './mails.js';

const change = z.object({
  currentPassword: z.string().max(1000, 'must be at most 1,000 characters'),
  newPassword: password,
});

/**
 * Changes the viewer's password, and signs every device out, on every process within a second. This device gets a new
 * session.
 * @throws BAD_USER_INPUT, INVALID_CREDENTIALS when the current password is wrong
 */
export async function changePassword(
  app: App,
  viewer: Viewer,
  input: { currentPassword: string; newPassword: string },
  device: Pick<Device, 'userAgent' | 'ipAddress'>,
): Promise<SignedIn> {
  const { currentPassword, newPassword } = parseRequest(change, input);
  const { userId: id, sessionId } = viewer;
  const find = (): Promise<User | null> =>
    app.db.user.findFirst({ where: { id, deletedAt: null } });
  const opened = await withPassword(find, currentPassword, wrongPassword, async (known) => {
    const passwordHash = await hashPassword(newPassword);
    return transact(app.db, async (tx) => {
      // A concurrent request may have changed the password while the new one was hashed.
      const where = { id, passwordHash: known.passwordHash };
      const at = new Date();
      const changed = { passwordHash, passwordChangedAt: at };
      if ((await tx.user.updateMany({ where, data: changed })).count === 0) throw wrongPassword();
      const here = await tx.session.findUniqueOrThrow({
        where: { userId_id: { userId: id, id: sessionId } },
      });
      const details = { sessionsEnded: (await endSessions(tx, { userId: id })).length };
      // Links that were mailed before belong to the old password.
      await tx.emailToken.deleteMany({ where: { userId: id, purpose: 'RESET' } });
      await dropPendingChange(tx, id);
      await expireExports(tx, id);
      await enqueueMail(app, tx, { userId: id, mail: 'PASSWORD_CHANGED' });
      await writeAudit(tx, [
        { actorId: id, action: 'changePassword', target: id, reason: null, details, at },
      ]);
      const name = here.deviceName;
      const transport = here.transport === 'COOKIE' ? 'COOKIE' : 'BODY';
      return openSession(app, tx, id, { ...device, name, transport });
    });
  });
  app.sessionStates.forget(id);
  app.log.info({ event: 'password-changed', userId: id }, 'password changed');
  return issueTokens(app, opened, 'created');
}
