import type { App } from '../app.js';
import { tokenInvalid } from '../../domain/errors.js';
import { transact } from '../../infra/db.js';
import { changed, writeAudit } from '../audit.sql.js';
import { parseOpaqueToken } from '../../infra/tokens.js';
import { confirmChange } from './email-change/email-change.js';
import { isGoodEmailToken } from './email-tokens.sql.js';
import { findEmailToken, useEmailToken } from './email-tokens.js';
import { enqueueMail } from './mails.js';
import { lockPerson } from './people.sql.js';

/**
 * Confirms the address that a token was mailed to, either the address of the account or a new one.
 * @throws TOKEN_INVALID; EMAIL_TAKEN when another account now has the new address
 */
export async function confirmEmail(app: App, text: string): Promise<void> {
  const token = parseOpaqueToken(text);
  if (token !== null && (await isGoodEmailToken(app.db, token, 'CHANGE')))
    await confirmChange(app, token);
  else await verifyEmail(app, text);
}

async function verifyEmail(app: App, text: string): Promise<void> {
  const token = await findEmailToken(app, text, 'VERIFY');
  const { userId: id } = token;
  await transact(app.db, async (tx) => {
    if (!(await lockPerson(tx, id))) throw tokenInvalid();
    await useEmailToken(tx, token, 'VERIFY');
    const at = new Date();
    const unverified = { id, emailVerifiedAt: null };
    const { count } = await tx.user.updateMany({
      where: unverified,
      data: { emailVerifiedAt: at },
    });
    const details = count === 0 ? null : { emailVerifiedAt: changed(null, at) };
    const action = 'verifyEmail';
    await writeAudit(tx, [{ actorId: id, action, target: id, reason: null, details, at }]);
  });
  app.log.info({ event: 'address-verified', userId: id }, 'address verified');
}

/** Mails the link again, unless the address is confirmed. */
export async function resendVerification(app: App, userId: string): Promise<void> {
  const unverified = { id: userId, emailVerifiedAt: null, deletedAt: null };
  if ((await app.db.user.count({ where: unverified })) === 0) return;
  await transact(app.db, (tx) => enqueueMail(app, tx, { userId, mail: 'VERIFY' }));
}
