import { networksOf } from '../../domain/networks.js';
import type { Window } from '../../domain/paging.js';
import { Prisma, type Reader, type Rows, type Tx } from '../../infra/db.js';
import { containing } from '../search/search.sql.js';
import { byId, keysetOf } from '../keyset.sql.js';

/** A user without private data that no one but the server needs, such as the password hash. */
export type UserView = Readonly<
  Pick<
    Rows.User,
    | 'id'
    | 'email'
    | 'emailVerifiedAt'
    | 'displayName'
    | 'role'
    | 'suspendedAt'
    | 'monthlyCredits'
    | 'createdAt'
    | 'locale'
    | 'mailOn'
  >
>;

export type Standing = Pick<UserView, 'id' | 'role' | 'suspendedAt'>;

/**
 * Locks these users and every administrator who is not suspended, in the order of their ids, so that two administrators
 * cannot demote each other at the same time. The rows are read after the locks, so that a user who became an
 * administrator meanwhile counts as well. Indexes: users_administrators, users_pkey.
 */
export async function lockStandings(tx: Tx, userIds: readonly string[]): Promise<Standing[]> {
  const these = Prisma.sql`
    WHERE (id = ANY(${userIds}::uuid[]) AND deleted_at IS NULL) OR (role = 'ADMIN' AND suspended_at IS NULL)
    ORDER BY id`;
  await tx.$queryRaw`SELECT FROM users ${these} FOR NO KEY UPDATE`;
  return tx.$queryRaw<Standing[]>`
    SELECT id, role::text, suspended_at AS "suspendedAt" FROM users ${these}`;
}

/** Locks users in the order of their ids. @returns the users whose accounts are not deleted. Index: users_pkey. */
export const lockPeople = (tx: Tx, userIds: readonly string[]): Promise<Standing[]> =>
  tx.$queryRaw<Standing[]>`
    SELECT id, role::text, suspended_at AS "suspendedAt" FROM users
    WHERE id = ANY(${userIds}::uuid[]) AND deleted_at IS NULL ORDER BY id FOR NO KEY UPDATE`;

/** Locks a user against every change. @returns false when the user has left or never existed. Index: users_pkey. */
export async function lockPerson(tx: Tx, userId: string): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT FROM users WHERE id = ${userId}::uuid AND deleted_at IS NULL FOR NO KEY UPDATE`;
  return rows.length > 0;
}

/**
 * The hash of a user's password, locked until the transaction ends. A change of the password waits for a sign-in with
 * the old one, and then signs it out. Index: users_pkey.
 */
export async function holdPassword(tx: Tx, userId: string): Promise<string | undefined> {
  const [row] = await tx.$queryRaw<{ passwordHash: string }[]>`
    SELECT password_hash AS "passwordHash" FROM users WHERE id = ${userId}::uuid FOR SHARE`;
  return row?.passwordHash;
}

/**
 * Closes an account. Waits for transactions that hold its lock. No points can be granted afterwards.
 * Index: credit_accounts_pkey.
 */
export const closeAccount = (tx: Tx, userId: string): Promise<number> =>
  tx.$executeRaw`
    UPDATE credit_accounts SET closed_at = ledger_now()
    WHERE user_id = ${userId}::uuid AND closed_at IS NULL`;

/**
 * Whether the account has been used from this address as far back as sessions are kept, or has a live session in the
 * same /64 network of IPv6, because devices change the lower half of their addresses every day. The second query is
 * bounded by the number of devices that a user may have. Indexes: sessions_user_id_ip_address_idx, sessions_live.
 */
export async function isKnownAddress(
  db: Reader,
  { userId, ipAddress }: { userId: string; ipAddress: string | null },
): Promise<boolean> {
  const { own } = networksOf(ipAddress ?? '');
  const network = own.endsWith('/64') ? own : null;
  // The CASE keeps texts that are no plain address, such as one with a zone, from the cast.
  const rows = await db.$queryRaw<unknown[]>`
    SELECT FROM sessions WHERE user_id = ${userId}::uuid AND ip_address = ${ipAddress}
    UNION ALL
    SELECT FROM sessions
    WHERE user_id = ${userId}::uuid AND revoked_at IS NULL AND expires_at > now()
      AND CASE WHEN ip_address ~* '^[0-9a-f:.]+$' THEN ip_address::inet <<= ${network}::inet END
    LIMIT 1`;
  return rows.length > 0;
}

const havingWords = (words: readonly string[]): Prisma.Sql =>
  Prisma.sql`deleted_at IS NULL ${words.length === 0 ? Prisma.empty : containing(Prisma.sql`search_text`, words)}`;

/** A query of the users that `readPeople` reads. */
export const peopleQuery = (words: readonly string[]): Prisma.Sql =>
  Prisma.sql`SELECT FROM users WHERE ${havingWords(words)}`;

/** Users, newest first. `words` are folded. Indexes: users_pkey; users_search for words that few users have. */
export function readPeople(
  db: Reader,
  { window, words }: { window: Window<string>; words: readonly string[] },
): Promise<UserView[]> {
  const { within, page } = keysetOf(window, byId(Prisma.sql`id`, 'descending'));
  return db.$queryRaw<UserView[]>`
    SELECT id, email, email_verified_at AS "emailVerifiedAt", display_name AS "displayName", role::text,
           suspended_at AS "suspendedAt", monthly_credits AS "monthlyCredits", created_at AS "createdAt",
           locale, mail_on AS "mailOn"
    FROM users
    WHERE ${havingWords(words)} ${within} ${page}`;
}
