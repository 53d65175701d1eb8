import type { App } from '../../app.js';
import { tokenInvalid } from '../../domain/errors.js';
import type { Tx } from '../../infra/db.js';
import { makeOpaqueToken, parseOpaqueToken, type OpaqueToken } from '../../infra/tokens.js';
import { deleteEmailToken, insertEmailToken, isGoodEmailToken } from './email-tokens.sql.js';

/** What a mailed token is for. */
export type EmailPurpose = 'VERIFY' | 'RESET';

const LIFETIME_HOURS: Readonly<Record<EmailPurpose, number>> = { VERIFY: 24, RESET: 1 };

/**
 * A new token, of which only the hash is kept.
 * @returns null when there is nobody any more whom it could be for
 */
export async function issueEmailToken(
  app: Pick<App, 'db'>,
  userId: string,
  purpose: EmailPurpose,
): Promise<OpaqueToken | null> {
  const token = makeOpaqueToken(userId);
  const issued = await insertEmailToken(app.db, token, purpose, LIFETIME_HOURS[purpose]);
  return issued === 0 ? null : token;
}

/** Takes back a token that reached nobody. */
export async function withdrawEmailToken(
  app: Pick<App, 'db'>,
  { userId, hash }: OpaqueToken,
): Promise<void> {
  await app.db.emailToken.deleteMany({ where: { userId, hash } });
}

/** What was presented, while it is good. Uses nothing up. @throws TOKEN_INVALID */
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

/** Uses a token up, and all others for the same purpose with it. @throws TOKEN_INVALID when it is not good */
export async function useEmailToken(
  tx: Tx,
  token: OpaqueToken,
  purpose: EmailPurpose,
): Promise<void> {
  const used = await deleteEmailToken(tx, token, purpose);
  if (used === 0) throw tokenInvalid();
  await tx.emailToken.deleteMany({ where: { userId: token.userId, purpose } });
}
