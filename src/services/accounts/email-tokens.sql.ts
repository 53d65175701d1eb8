import type { EmailPurpose } from '../../domain/accounts/email-purpose.js';
import { Prisma, type Db, type Reader, type Tx } from '../../infra/db.js';
import type { OpaqueToken } from '../../infra/tokens.js';

/**
 * Stores the hash of a token. Locks the user against a concurrent deletion and a concurrent change of the address.
 * @returns 0 when the user has left, or the address that it is mailed to is not the user's, or for CHANGE not the one that
 * waits to be confirmed. Indexes: users_pkey, email_changes_pkey.
 */
export const insertEmailToken = (
  db: Pick<Db, '$executeRaw'>,
  { userId, hash }: OpaqueToken,
  { purpose, to, lifetimeHours }: { purpose: EmailPurpose; to: string; lifetimeHours: number },
): Promise<number> =>
  db.$executeRaw`
    INSERT INTO email_tokens (user_id, hash, purpose, email, created_at, expires_at)
    SELECT id, ${hash}, ${purpose}, ${purpose === 'CHANGE' ? to : null}, now(),
           now() + ${lifetimeHours} * interval '1 hour'
    FROM users WHERE id = ${userId}::uuid AND deleted_at IS NULL AND ${purpose === 'CHANGE' ? awaited(to) : owned(to)}
    FOR KEY SHARE`;

const owned = (address: string): Prisma.Sql => Prisma.sql`email = ${address}`;

const awaited = (address: string): Prisma.Sql => Prisma.sql`EXISTS (
  SELECT FROM email_changes c WHERE c.user_id = users.id AND c.new_email = ${address} AND c.confirmed_at IS NULL
    AND c.expires_at > now())`;

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
