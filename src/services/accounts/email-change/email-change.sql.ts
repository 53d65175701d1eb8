import type { Reader, Tx } from '../../../infra/db.js';
import type { OpaqueToken } from '../../../infra/tokens.js';

/** How long a change waits for its link to be opened. Its links are valid as long. */
export const CHANGE_LIFETIME_HOURS = 24;

/** A change of an address, of which each user has one at most. */
export interface EmailChange {
  readonly userId: string;
  readonly oldEmail: string;
  readonly newEmail: string;
  readonly confirmedAt: Date | null;
}

/** Begins a change, in place of an earlier one. Index: email_changes_pkey. */
export const beginChange = (
  tx: Tx,
  { userId, newEmail }: { userId: string; newEmail: string },
): Promise<number> =>
  tx.$executeRaw`
    INSERT INTO email_changes (user_id, old_email, new_email, asked_at, expires_at)
    SELECT id, email, ${newEmail}, now(), now() + ${CHANGE_LIFETIME_HOURS} * interval '1 hour'
    FROM users WHERE id = ${userId}::uuid
    ON CONFLICT (user_id) DO UPDATE SET old_email = excluded.old_email, new_email = excluded.new_email,
      asked_at = excluded.asked_at, expires_at = excluded.expires_at, confirmed_at = NULL`;

/**
 * Stores the present address of a user, for a mail about a change of it. The user is locked by the caller.
 * Index: users_pkey.
 */
export const keepAddress = (
  tx: Tx,
  { userId, id }: { userId: string; id: string },
): Promise<number> =>
  tx.$executeRaw`
    INSERT INTO former_emails (user_id, id, email, created_at)
    SELECT id, ${id}::uuid, email, now() FROM users WHERE id = ${userId}::uuid`;

/** The changes of these users that can still be confirmed. Index: email_changes_pkey. */
export const readPending = (db: Reader, userIds: readonly string[]): Promise<EmailChange[]> =>
  db.$queryRaw<EmailChange[]>`
    SELECT user_id AS "userId", old_email AS "oldEmail", new_email AS "newEmail", confirmed_at AS "confirmedAt"
    FROM email_changes
    WHERE user_id = ANY(${[...userIds]}::uuid[]) AND confirmed_at IS NULL AND expires_at > now()`;

/**
 * Confirms the pending change to the address that a token was mailed to, and uses the token up. The user is locked by the
 * caller. @returns the new address; undefined when the token is not valid. Indexes: email_tokens_pkey, email_changes_pkey.
 */
export async function confirmWith(
  tx: Tx,
  { userId, hash }: OpaqueToken,
): Promise<string | undefined> {
  const [row] = await tx.$queryRaw<{ newEmail: string }[]>`
    WITH used AS (
      DELETE FROM email_tokens
      WHERE user_id = ${userId}::uuid AND hash = ${hash} AND purpose = 'CHANGE' AND expires_at > now()
      RETURNING user_id, email
    )
    UPDATE email_changes c SET confirmed_at = now() FROM used
    WHERE c.user_id = used.user_id AND c.new_email = used.email AND c.confirmed_at IS NULL
      AND c.expires_at > now()
    RETURNING c.new_email AS "newEmail"`;
  return row?.newEmail;
}
