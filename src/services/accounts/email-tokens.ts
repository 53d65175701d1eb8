import type { App } from '../../app.js';
import { tokenInvalid } from '../../domain/errors.js';
import { Prisma, type Tx } from '../../infra/db.js';
import { makeOpaqueToken, parseOpaqueToken, type OpaqueToken } from '../../infra/tokens.js';

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
  const issued = await app.db.$executeRaw`
    INSERT INTO email_tokens (user_id, hash, purpose, created_at, expires_at)
    SELECT id, ${token.hash}, ${purpose}, now(), now() + ${LIFETIME_HOURS[purpose]} * interval '1 hour'
    FROM users WHERE id = ${userId}::uuid AND deleted_at IS NULL FOR KEY SHARE`;
  return issued === 0 ? null : token;
}

/** Takes back a token that reached nobody. */
export async function withdrawEmailToken(
  app: Pick<App, 'db'>,
  { userId, hash }: OpaqueToken,
): Promise<void> {
  await app.db.emailToken.deleteMany({ where: { userId, hash } });
}

/** The one token, while it is good, by the database's clock. Index: email_tokens_pkey. */
const good = ({ userId, hash }: OpaqueToken, purpose: EmailPurpose): Prisma.Sql => Prisma.sql`
  user_id = ${userId}::uuid AND hash = ${hash} AND purpose = ${purpose} AND expires_at > now()`;

/** What was presented, while it is good. Uses nothing up. @throws TOKEN_INVALID */
export async function findEmailToken(
  app: Pick<App, 'db'>,
  text: string,
  purpose: EmailPurpose,
): Promise<OpaqueToken> {
  const token = parseOpaqueToken(text);
  if (token === null) throw tokenInvalid();
  const found = await app.db.$queryRaw<unknown[]>`
    SELECT FROM email_tokens WHERE ${good(token, purpose)}`;
  if (found.length === 0) throw tokenInvalid();
  return token;
}

/** Uses a token up, and all others for the same purpose with it. @throws TOKEN_INVALID when it is not good */
export async function useEmailToken(
  tx: Tx,
  token: OpaqueToken,
  purpose: EmailPurpose,
): Promise<void> {
  const used = await tx.$executeRaw`DELETE FROM email_tokens WHERE ${good(token, purpose)}`;
  if (used === 0) throw tokenInvalid();
  await tx.emailToken.deleteMany({ where: { userId: token.userId, purpose } });
}
