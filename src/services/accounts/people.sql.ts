import { patternOf } from '../../domain/text.js';
import type { Window } from '../../domain/paging.js';
import { Prisma, type Reader, type Tx } from '../../infra/db.js';
import type { UserView } from './people.js';

export type Standing = Pick<UserView, 'id' | 'role' | 'suspendedAt'>;

/**
 * Locks people and every administrator who is not suspended, in the order of their ids, so that two administrators
 * cannot take the role from each other at once. They are read when all of them are locked: whoever became an
 * administrator while this waited counts as well. Indexes: users_administrators, users_pkey.
 */
export async function lockStandings(tx: Tx, userIds: readonly string[]): Promise<Standing[]> {
  const these = Prisma.sql`
    WHERE (id = ANY(${userIds}::uuid[]) AND deleted_at IS NULL) OR (role = 'ADMIN' AND suspended_at IS NULL)
    ORDER BY id`;
  await tx.$queryRaw`SELECT FROM users ${these} FOR NO KEY UPDATE`;
  return tx.$queryRaw<Standing[]>`
    SELECT id, role::text, suspended_at AS "suspendedAt" FROM users ${these}`;
}

/** Locks a person against everything that changes them. @returns false for one who is not there any more. Index: users_pkey. */
export async function lockPerson(tx: Tx, userId: string): Promise<boolean> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT FROM users WHERE id = ${userId}::uuid AND deleted_at IS NULL FOR NO KEY UPDATE`;
  return rows.length > 0;
}

/**
 * The hash of a person's password, held until the transaction ends: a change of the password waits for
 * the sign-in that was allowed with the old one, and signs it out. Index: users_pkey.
 */
export async function holdPassword(tx: Tx, userId: string): Promise<string | undefined> {
  const [row] = await tx.$queryRaw<{ passwordHash: string }[]>`
    SELECT password_hash AS "passwordHash" FROM users WHERE id = ${userId}::uuid FOR SHARE`;
  return row?.passwordHash;
}

/**
 * Closes a person's points: what holds their account now is waited for, and no points come in from here on.
 * Index: credit_accounts_pkey.
 */
export const closeAccount = (tx: Tx, userId: string): Promise<number> =>
  tx.$executeRaw`
    UPDATE credit_accounts SET closed_at = ledger_now()
    WHERE user_id = ${userId}::uuid AND closed_at IS NULL`;

/**
 * Whether somebody has signed in to this account from this address, as far back as sessions are kept.
 * Index: sessions_user_id_ip_address_idx.
 */
export async function isKnownAddress(
  db: Reader,
  { userId, ipAddress }: { userId: string; ipAddress: string | null },
): Promise<boolean> {
  const rows = await db.$queryRaw<unknown[]>`
    SELECT FROM sessions WHERE user_id = ${userId}::uuid AND ip_address = ${ipAddress} LIMIT 1`;
  return rows.length > 0;
}

const mentioning = (words: string): Prisma.Sql => {
  const pattern = patternOf(words);
  return Prisma.sql`AND (email ILIKE ${pattern} OR display_name ILIKE ${pattern})`;
};

/** People, newest first; a search walks them until the page is full. Index: users_pkey. */
export function readPeople(
  db: Reader,
  { window, search }: { window: Window<string>; search: string | null },
): Promise<UserView[]> {
  return db.$queryRaw<UserView[]>`
    SELECT id, email, email_verified_at AS "emailVerifiedAt", display_name AS "displayName", role::text,
           suspended_at AS "suspendedAt", monthly_credits AS "monthlyCredits", created_at AS "createdAt"
    FROM users
    WHERE deleted_at IS NULL
      ${window.after === null ? Prisma.empty : Prisma.sql`AND id < ${window.after}::uuid`}
      ${window.before === null ? Prisma.empty : Prisma.sql`AND id > ${window.before}::uuid`}
      ${search === null ? Prisma.empty : mentioning(search)}
    ORDER BY id ${window.backward ? Prisma.sql`ASC` : Prisma.sql`DESC`} LIMIT ${window.limit + 1}`;
}
