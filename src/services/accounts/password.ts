import { z } from 'zod';
import type { App } from '../../app.js';
import { invalidCredentials } from '../../domain/errors.js';
import { transact } from '../../infra/db.js';
import { hashPassword, verifyPassword } from '../../infra/passwords.js';
import { writeAudit } from '../audit.sql.js';
import { endSessions } from '../sessions/devices.js';
import {
  issueTokens,
  openSession,
  type Device,
  type SignedIn,
  type TokenTransport,
} from '../sessions/sessions.js';
import type { Viewer } from '../sessions/viewer.js';
import { parseRequest, password } from '../validation.js';
import { enqueueMail } from './mails.js';

const change = z.object({
  currentPassword: z.string().max(1000, 'must be at most 1,000 characters'),
  newPassword: password,
});

/**
 * Changes the viewer's password and signs every device out, on every process within a second; this
 * one is signed in anew.
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
  const known = await app.db.user.findUniqueOrThrow({ where: { id } });
  if (!(await verifyPassword(known.passwordHash, currentPassword))) throw invalidCredentials();
  const passwordHash = await hashPassword(newPassword);
  const { opened, ended } = await transact(app.db, async (tx) => {
    // Someone else may have changed it while this was hashed.
    const where = { id, passwordHash: known.passwordHash };
    if ((await tx.user.updateMany({ where, data: { passwordHash } })).count === 0)
      throw invalidCredentials();
    const here = await tx.session.findUniqueOrThrow({
      where: { userId_id: { userId: id, id: sessionId } },
    });
    const closed = await endSessions(tx, { userId: id });
    await enqueueMail(app, tx, { userId: id, mail: 'PASSWORD_CHANGED' });
    await writeAudit(tx, [
      { actorId: id, action: 'changePassword', target: id, reason: null, at: new Date() },
    ]);
    const name = here.deviceName;
    const transport = here.transport as TokenTransport;
    return {
      ended: closed,
      opened: await openSession(app, tx, id, { ...device, name, transport }),
    };
  });
  app.sessionStates.forget(id);
  app.log.info({ userId: id, ended: ended.length }, 'password changed');
  return issueTokens(app, opened, 'created');
}
