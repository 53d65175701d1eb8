import type { EmailPurpose } from '../../domain/accounts/email-purpose.js';
import { Prisma, type Db, type Reader, type Tx } from '../../infra/db.js';
import type { OpaqueToken } from '../../infra/tokens.js';

/**
 * Stores the hash of a token. Locks the user against a concurrent deletion. @returns 0 when the user has left.
 * Index: users_pkey.
 */
export const insertEmailToken = (
  db: Pick<Db, '$executeRaw'>,
  { userId, hash }: OpaqueToken,
  purpose: EmailPurpose,
  lifetimeHours: number,
): Promise<number> =>
  db.$executeRaw`
    INSERT INTO email_tokens (user_id, hash, purpose, created_at, expires_at)
    SELECT id, ${hash}, ${purpose}, now(), now() + ${lifetimeHours} * interval '1 hour'
    FROM users WHERE id = ${userId}::uuid AND deleted_at IS NULL FOR KEY SHARE`;

/** The condition that a token exists and is valid by the database's clock. Index: email_tokens_pkey. */
const good = ({ userId, hash }: OpaqueToken, purpose: EmailPurpose): Prisma.Sql => Prisma.sql`
  user_id = ${userId}::uuid AND hash = ${hash} AND purpose = ${purpose} AND expires_at > now()`;

/** Whether a token is valid. No locks. Index: email_tokens_pkey. */
export async function isGoodEmailToken(
  db: Reader,
  token: OpaqueToken,
  purpose: EmailPurpose,
): Promise<boolean> {
  const found = await db.$queryRaw<unknown[]>`
    SELECT FROM email_tokens WHERE ${good(token, purpose)}`;
  return found.length > 0;
}

/** Deletes a valid token. @returns 0 when it is not valid. Index: email_tokens_pkey. */
export const deleteEmailToken = (
  tx: Tx,
  token: OpaqueToken,
  purpose: EmailPurpose,
): Promise<number> => tx.$executeRaw`DELETE FROM email_tokens WHERE ${good(token, purpose)}`;
