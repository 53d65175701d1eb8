import { Prisma, type Reader, type Tx } from '../../infra/db.js';
import { ofOneAccount } from '../ledger/one-account.sql.js';

/** A lot whose `remaining` is not the sum of its allocations. */
export interface WrongLot {
  readonly userId: string;
  readonly lotId: string;
  /** The stored `remaining`. */
  readonly before: number;
  /** The sum of the allocations. */
  readonly after: number;
  /** Whether a lot may hold `after`: at least 0, and at most what was granted. */
  readonly isPossible: boolean;
  /** Whether the lot has lapsed or was revoked. */
  readonly isDead: boolean;
}

/**
 * The wrong lots of these accounts, in the order of user and lot. Under the accounts' locks. Indexes: credit_lots_pkey,
 * credit_allocations_user_id_lot_id_seq_idx.
 */
export function readWrongLots(
  tx: Tx,
  wanted: {
    readonly userIds: readonly string[];
    readonly after: { readonly userId: string; readonly lotId: string };
    readonly limit: number;
  },
): Promise<WrongLot[]> {
  const { userIds, after, limit } = wanted;
  return tx.$queryRaw<WrongLot[]>`
    SELECT l.user_id AS "userId", l.id AS "lotId", l.remaining AS before, m.moved::float8 AS after,
      m.moved BETWEEN 0 AND l.granted AS "isPossible",
      (l.revoked_at IS NOT NULL OR clock.now >= l.expires_at) IS TRUE AS "isDead"
    FROM (SELECT ledger_now() AS now OFFSET 0) clock, credit_lots l CROSS JOIN LATERAL (
      SELECT coalesce(sum(a.amount), 0) AS moved FROM credit_allocations a
      WHERE a.user_id = l.user_id AND a.lot_id = l.id
    ) m
    WHERE l.user_id = ANY(${userIds}::uuid[]) AND l.remaining <> m.moved
      AND (l.user_id, l.id) > (${after.userId}::uuid, ${after.lotId}::uuid)
    ORDER BY l.user_id, l.id LIMIT ${limit}`;
}

/**
 * Sets `remaining` of lots. Under the accounts' locks. A lot that does not hold `before` any more is left alone. No other
 * column is written, and the triggers and CHECKs of `credit_lots` apply. Index: credit_lots_pkey.
 * @returns the number of lots that were written
 */
export const setRemaining = (
  tx: Tx,
  lots: readonly Pick<WrongLot, 'userId' | 'lotId' | 'before' | 'after'>[],
): Promise<number> => tx.$executeRaw`
  UPDATE credit_lots l SET remaining = r.after
  FROM json_to_recordset(${JSON.stringify(lots)}::json) AS r("userId" uuid, "lotId" uuid, before int, after int)
  WHERE l.user_id = r."userId" AND l.id = r."lotId" AND l.remaining = r.before
    ${ofOneAccount(tx, Prisma.sql`l.user_id`, lots)}`;

/**
 * Notes that the points of accounts have changed, once for each. The trigger notes movements, and a repair makes none.
 */
export const notePointsChanged = (tx: Tx, userIds: readonly string[]): Promise<number> =>
  tx.$executeRaw`
  INSERT INTO live_changes (topic) SELECT DISTINCT 'credits ' || user_id FROM unnest(${userIds}::uuid[]) AS u(user_id)`;

/** The end of a history. Index: credit_accounts_pkey. */
export async function readHead(
  db: Reader,
  userId: string,
): Promise<{ lastSeq: number; headHash: string } | null> {
  const [head] = await db.$queryRaw<{ lastSeq: number; headHash: string }[]>`
    SELECT last_seq AS "lastSeq", encode(head_hash, 'hex') AS "headHash"
    FROM credit_accounts WHERE user_id = ${userId}::uuid`;
  return head ?? null;
}

/**
 * The points that the open lots of each account hold together. Accounts without an open lot are left out. Under the
 * accounts' locks. Index: credit_lots_open.
 */
export const readHeld = (
  tx: Tx,
  userIds: readonly string[],
): Promise<{ userId: string; held: number }[]> => tx.$queryRaw`
  SELECT l.user_id AS "userId", sum(l.remaining)::float8 AS held FROM credit_lots l
  WHERE l.user_id = ANY(${userIds}::uuid[]) AND l.is_open AND l.revoked_at IS NULL GROUP BY l.user_id`;

/** Lets Postgres read whole histories: with hash joins instead of look-ups for each row. For the rest of `tx`. */
export const planForHistories = (tx: Tx): Promise<unknown> => tx.$queryRaw`
  SELECT set_config('enable_hashjoin', 'on', true), set_config('enable_nestloop', 'off', true)`;

/** Lets Postgres look rows up by key again, as after `lockAccounts`. */
export const planForKeys = (tx: Tx): Promise<unknown> => tx.$queryRaw`
  SELECT set_config('enable_hashjoin', 'off', true), set_config('enable_nestloop', 'on', true)`;
