import { z } from 'zod';
import type { App } from '../../app.js';
import { badUserInput, emailTaken, tokenInvalid, wrongPassword } from '../../../domain/errors.js';
import { newId } from '../../../domain/ids.js';
import { isUniqueViolation } from '../../../infra/connections/database-errors.js';
import { transact, type Tx, type User } from '../../../infra/db.js';
import type { OpaqueToken } from '../../../infra/tokens.js';
import { writeAudit } from '../../audit.sql.js';
import { foldNow } from '../../search/fold.js';
import type { Viewer } from '../../sessions/viewer.js';
import { email, parseRequest } from '../../validation.js';
import { withPassword } from '../credentials.js';
import { enqueueMail } from '../mails.js';
import { lockPerson } from '../people.sql.js';
import { beginChange, confirmWith, keepAddress, readPending } from './email-change.sql.js';

const change = z.object({
  newEmail: email,
  password: z.string().max(1000, 'must be at most 1,000 characters'),
});

/**
 * Mails a link to a new address, and a notice to the present one. Nothing changes until the link is opened. For an address
 * that another account has, the same work is done, and the job mails no link, so that neither the answer nor its time
 * tells whether the address is known.
 * @throws BAD_USER_INPUT, INVALID_CREDENTIALS
 */
export async function changeEmail(
  app: App,
  { userId: id }: Viewer,
  input: { newEmail: string; password: string },
): Promise<void> {
  const { newEmail, password } = parseRequest(change, input);
  const find = (): Promise<User | null> =>
    app.db.user.findFirst({ where: { id, deletedAt: null } });
  await withPassword(find, password, wrongPassword, (known) => {
    if (known.email === newEmail) throw badUserInput('newEmail', 'is your address already');
    return transact(app.db, async (tx) => {
      await lockPerson(tx, id);
      // A concurrent request may have changed the password or deleted the account while the password was checked.
      const same = { id, passwordHash: known.passwordHash, deletedAt: null };
      if ((await tx.user.count({ where: same })) === 0) throw wrongPassword();
      await tx.emailToken.deleteMany({ where: { userId: id, purpose: 'CHANGE' } });
      await beginChange(tx, { userId: id, newEmail });
      await tellPresentAddress(app, tx, { userId: id, mail: 'EMAIL_CHANGE_ASKED' });
      await enqueueMail(app, tx, { userId: id, mail: 'EMAIL_CHANGE' });
      await auditChange(tx, id, false);
    });
  });
  app.log.info({ event: 'address-change-asked', userId: id }, 'change of the address requested');
}

/**
 * Gives a user the address that a token was mailed to. This also confirms the address. Links that were mailed to the
 * old address end. The devices stay signed in, because the change was requested with the password.
 * @throws TOKEN_INVALID; EMAIL_TAKEN when another account now has the address
 */
export async function confirmChange(app: App, token: OpaqueToken): Promise<void> {
  const { userId: id } = token;
  try {
    await transact(app.db, async (tx) => {
      if (!(await lockPerson(tx, id))) throw tokenInvalid();
      const address = await confirmWith(tx, token);
      if (address === undefined) throw tokenInvalid();
      await tellPresentAddress(app, tx, { userId: id, mail: 'EMAIL_CHANGED' });
      const data = { email: address, emailVerifiedAt: new Date() };
      await tx.user.update({ where: { id }, data });
      await tx.emailToken.deleteMany({ where: { userId: id } });
      await foldNow(tx, 'users', id);
      await auditChange(tx, id, true);
    });
  } catch (error) {
    throw isUniqueViolation(error) ? emailTaken() : error;
  }
  app.log.info({ event: 'address-changed', userId: id }, 'address changed');
}

/**
 * Sends a mail to the address that the user has at this moment of the transaction. The address is stored for this mail
 * alone, so that a later change does not redirect the mail.
 */
async function tellPresentAddress(
  app: App,
  tx: Tx,
  { userId, mail }: { userId: string; mail: 'EMAIL_CHANGE_ASKED' | 'EMAIL_CHANGED' },
): Promise<void> {
  const formerEmailId = newId();
  await keepAddress(tx, { userId, id: formerEmailId });
  await enqueueMail(app, tx, { userId, mail, formerEmailId });
}

/** The audit log keeps no addresses, because its entries are never deleted. */
const auditChange = (tx: Tx, id: string, confirmed: boolean): Promise<void> =>
  writeAudit(tx, [
    {
      actorId: id,
      action: 'changeEmail',
      target: id,
      reason: null,
      details: { confirmed },
      at: new Date(),
    },
  ]);

/** Cancels a change that waits for its link, because the person who requested it may have known the old password. */
export async function dropPendingChange(tx: Tx, userId: string): Promise<void> {
  await tx.emailToken.deleteMany({ where: { userId, purpose: 'CHANGE' } });
  await tx.emailChange.deleteMany({ where: { userId, confirmedAt: null } });
}

/** The addresses that wait to be confirmed, by user. */
export async function pendingEmails(
  app: Pick<App, 'db'>,
  userIds: readonly string[],
): Promise<Map<string, string>> {
  const changes = await readPending(app.db, userIds);
  return new Map(changes.map(({ userId, newEmail }) => [userId, newEmail]));
}
