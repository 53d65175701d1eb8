import { z } from 'zod';
import type { App } from '../../app.js';
import { DomainError, tokenInvalid } from '../../domain/errors.js';
import { newId } from '../../domain/ids.js';
import { transact } from '../../infra/db.js';
import { hashPassword } from '../../infra/passwords.js';
import { writeAudit } from '../audit.sql.js';
import { endSessions } from '../sessions/sessions.sql.js';
import { countAgainstLimit } from '../limits.js';
import { email, parseRequest, password } from '../validation.js';
import { findEmailToken, useEmailToken } from './email-tokens.js';
import { enqueueMail } from './mails.js';
import { lockPerson } from './people.sql.js';

const resetRequest = z.object({ email });
const reset = z.object({ newPassword: password });

/**
 * Mails a link that sets a new password. For an address that nobody has, the same is done for nobody, so
 * that neither the answer nor its time tells the one from the other.
 * @throws BAD_USER_INPUT
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
 * However many ask for one address, from wherever, its owner gets a few mails and not more; and as each of these
 * has a link that works, whoever asks once too often need not be told.
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
 * Sets a new password with a mailed token, and signs every device out, on every process within a second.
 * Whoever reads the mail has shown that the address is theirs.
 * @throws BAD_USER_INPUT, which leaves the token good; TOKEN_INVALID
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
    const at = new Date();
    await tx.user.update({ where: { id }, data: { passwordHash, passwordChangedAt: at } });
    await tx.user.updateMany({
      where: { id, emailVerifiedAt: null },
      data: { emailVerifiedAt: at },
    });
    await endSessions(tx, { userId: id });
    await writeAudit(tx, [{ actorId: id, action: 'resetPassword', target: id, reason: null, at }]);
    await enqueueMail(app, tx, { userId: id, mail: 'PASSWORD_CHANGED' });
  });
  app.sessionStates.forget(id);
  app.log.info({ userId: id }, 'password reset');
}
