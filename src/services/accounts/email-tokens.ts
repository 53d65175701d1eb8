import type { App } from '../app.js';
import type { EmailPurpose } from '../../domain/accounts/email-purpose.js';
import { tokenInvalid } from '../../domain/errors.js';
import type { Tx } from '../../infra/db.js';
import { makeOpaqueToken, parseOpaqueToken, type OpaqueToken } from '../../infra/tokens.js';
import { CHANGE_LIFETIME_HOURS } from './email-change/email-change.sql.js';
import { deleteEmailToken, insertEmailToken, isGoodEmailToken } from './email-tokens.sql.js';

const LIFETIME_HOURS: Readonly<Record<EmailPurpose, number>> = {
  VERIFY: 24,
  RESET: 1,
  CHANGE: CHANGE_LIFETIME_HOURS,
};

/**
 * Makes a new token. Only its hash is stored.
 * @param to the address that it is mailed to
 * @returns null when the user has left, or has another address now
 */
export async function issueEmailToken(
  app: Pick<App, 'db'>,
  userId: string,
  { purpose, to }: { purpose: EmailPurpose; to: string },
): Promise<OpaqueToken | null> {
  const token = makeOpaqueToken(userId);
  const lifetimeHours = LIFETIME_HOURS[purpose];
  const issued = await insertEmailToken(app.db, token, { purpose, to, lifetimeHours });
  return issued === 0 ? null : token;
}

/** Deletes a token that was not delivered. */
export async function withdrawEmailToken(
  app: Pick<App, 'db'>,
  { userId, hash }: OpaqueToken,
): Promise<void> {
  await app.db.emailToken.deleteMany({ where: { userId, hash } });
}

/** The token of a text, if it is valid. Does not use it up. @throws TOKEN_INVALID */
export async function findEmailToken(
  app: Pick<App, 'db'>,
  text: string,
  purpose: EmailPurpose,
): Promise<OpaqueToken> {
  const token = parseOpaqueToken(text);
  if (token === null) throw tokenInvalid();
  if (!(await isGoodEmailToken(app.db, token, purpose))) throw tokenInvalid();
  return token;
}

/** Uses a single-use token, and deletes all others of the same purpose. @throws TOKEN_INVALID */
export async function useEmailToken(
  tx: Tx,
  token: OpaqueToken,
  purpose: EmailPurpose,
): Promise<void> {
  const used = await deleteEmailToken(tx, token, purpose);
  if (used === 0) throw tokenInvalid();
  await tx.emailToken.deleteMany({ where: { userId: token.userId, purpose } });
}
