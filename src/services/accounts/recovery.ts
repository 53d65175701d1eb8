import { z } from 'zod';
import type { App } from '../app.js';
import { DomainError, tokenInvalid } from '../../domain/errors.js';
import { newId } from '../../domain/ids.js';
import { transact } from '../../infra/db.js';
import { hashPassword } from '../../infra/passwords.js';
import { writeAudit } from '../audit.sql.js';
import { endSessions } from '../sessions/sessions.sql.js';
import { countAgainstLimit } from '../limits.js';
import { email, parseRequest, password } from '../validation.js';
import { findEmailToken, useEmailToken } from './email-tokens.js';
import { dropPendingChange } from './email-change/email-change.js';
import { expireExports } from './export/data-export.sql.js';
import { enqueueMail } from './mails.js';
import { lockPerson } from './people.sql.js';

const resetRequest = z.object({ email });
const reset = z.object({ newPassword: password });

/**
 * Mails a link that sets a new password. For an unknown address the same work is done with a random id, so that neither
 * the answer nor its time tells whether the address is known.
 * @throws BAD_USER_INPUT, BUSY
 */
export async function requestPasswordReset(app: App, input: { email: string }): Promise<void> {
  const { email: address } = parseRequest(resetRequest, input);
  if (!(await mayMail(app, address))) return;
  const known = await app.db.user.findUnique({ where: { email: address }, select: { id: true } });
  const userId = known?.id ?? newId();
  await transact(app.db, (tx) =>
    enqueueMail(app, tx, { userId, mail: 'RESET', requestedAt: new Date().toISOString() }),
  );
}

/**
 * Whether the limit of this address allows another mail. It bounds the mails that an owner gets, from any number of
 * requests. Requests beyond it are not refused, because the earlier mails have links that are still valid.
 * @throws BUSY
 */
async function mayMail(app: App, whose: string): Promise<boolean> {
  try {
    await countAgainstLimit(app, { limit: 'reset', by: 'account', whose });
    return true;
  } catch (error) {
    if (error instanceof DomainError && error.code === 'RATE_LIMITED') return false;
    throw error;
  }
}

/**
 * Sets a new password with a mailed token, and signs every device out, on every process within a second. Also confirms
 * the address, because the user has read a mail that was sent to it.
 * @throws BAD_USER_INPUT, which leaves the token valid; TOKEN_INVALID
 */
export async function resetPassword(
  app: App,
  input: { token: string; newPassword: string },
): Promise<void> {
  const { newPassword } = parseRequest(reset, input);
  const token = await findEmailToken(app, input.token, 'RESET');
  const { userId: id } = token;
  const passwordHash = await hashPassword(newPassword);
  await transact(app.db, async (tx) => {
    if (!(await lockPerson(tx, id))) throw tokenInvalid();
    await useEmailToken(tx, token, 'RESET');
    await dropPendingChange(tx, id);
    await expireExports(tx, id);
    const at = new Date();
    await tx.user.update({ where: { id }, data: { passwordHash, passwordChangedAt: at } });
    await tx.user.updateMany({
      where: { id, emailVerifiedAt: null },
      data: { emailVerifiedAt: at },
    });
    const details = { sessionsEnded: (await endSessions(tx, { userId: id })).length };
    const action = 'resetPassword';
    await writeAudit(tx, [{ actorId: id, action, target: id, reason: null, details, at }]);
    await enqueueMail(app, tx, { userId: id, mail: 'PASSWORD_CHANGED' });
  });
  app.sessionStates.forget(id);
  app.log.info({ event: 'password-reset', userId: id }, 'password reset');
}
