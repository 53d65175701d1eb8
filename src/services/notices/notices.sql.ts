import type { Window } from '../../domain/paging.js';
import { skippingLocked } from '../../infra/citus/locks.js';
import { isDistributed } from '../../infra/citus/placement.js';
import { Prisma, type Db, type Reader, type Rows, type Tx } from '../../infra/db.js';
import type { NoticeKind } from './notice-kinds.js';
import { byId, keysetOf } from '../keyset.sql.js';

export interface NoticeView extends Readonly<
  Pick<Rows.Notice, 'userId' | 'id' | 'at' | 'readAt' | 'points' | 'lapsesAt' | 'audioId' | 'seq'>
> {
  readonly kind: NoticeKind;
}

const COLUMNS = Prisma.sql`
  n.user_id AS "userId", n.id, n.kind, n.at, n.read_at AS "readAt", n.points, n.lapses_at AS "lapsesAt",
  n.audio_id AS "audioId", n.seq`;

/** Bounds the duration of a transaction that makes notices, because the lots of all users may lapse at the same instant. */
export const NOTICES_AT_ONCE = 5_000;

/** The rows of a distributed database cannot be locked by a sub-select. There a notice can be left of an erased account. */
const holdingUsers = (tx: Tx): Prisma.Sql =>
  isDistributed(tx) ? Prisma.empty : Prisma.sql`FOR KEY SHARE OF u`;

/**
 * Writes the notices of a query that are not written yet, at most NOTICES_AT_ONCE, and none for users who have left. A
 * caller whose query has more rows repeats it. The users are locked, because the job that erases an account deletes only the
 * notices that were committed before. Indexes: users_pkey, notices_user_id_key_key.
 *
 * The id is a UUIDv7 of the time of the insertion, because a notice must not come before those that its user may have read
 * by then. Its first random bits are the place among the rows. The others are a hash, so that the database can make it.
 * @param caused a query of user_id, key, kind, at, points, lapses_at, audio_id and seq
 * @returns the number of new notices
 */
export const insertNotices = (tx: Tx, caused: Prisma.Sql): Promise<number> =>
  tx.$executeRaw`
    WITH chosen AS (
      SELECT c.*, c.kind = ANY(u.mail_on) AND u.email_verified_at IS NOT NULL AS mail_due
      FROM (${caused}) c
      JOIN users u ON u.id = c.user_id AND u.deleted_at IS NULL
      WHERE NOT EXISTS (SELECT FROM notices n WHERE n.user_id = c.user_id AND n.key = c.key)
      LIMIT ${NOTICES_AT_ONCE} ${holdingUsers(tx)}
    ), placed AS (
      SELECT *, lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::int8 * 4096
          + row_number() OVER (ORDER BY at, seq)), 15, '0') AS place
      FROM chosen
    )
    INSERT INTO notices (user_id, id, key, kind, at, points, lapses_at, audio_id, seq, mail_due)
    SELECT user_id, (left(place, 12) || '7' || right(place, 3) || '8' || left(md5(user_id::text || key), 15))::uuid,
      key, kind, at, points, lapses_at, audio_id, seq, mail_due
    FROM placed
    ON CONFLICT (user_id, key) DO NOTHING`;

const END_KEYS = { NARRATION_READY: 'audio', NARRATION_FAILED: 'failed' } as const;

/**
 * A notice that a narration has ended, in the transaction that ends it. A lost recording is remade in the same attempt:
 * when it is ready again there is no second notice, and when that fails there is one.
 */
export const noticeEnd = (
  tx: Tx,
  { userId, audioId, attempt }: { userId: string; audioId: string; attempt: number },
  kind: keyof typeof END_KEYS,
): Promise<number> =>
  insertNotices(
    tx,
    Prisma.sql`
      SELECT ${userId}::uuid AS user_id, ${`${END_KEYS[kind]}:${audioId}:${String(attempt)}`} AS key, ${kind} AS kind,
        ledger_now() AS at, NULL::int AS points, NULL::timestamptz AS lapses_at, ${audioId}::uuid AS audio_id,
        NULL::int AS seq`,
  );

/** A user's notices, newest first. Index: notices_pkey. */
export const readNotices = (
  db: Reader,
  userId: string,
  window: Window<string>,
): Promise<NoticeView[]> => {
  const { within, page } = keysetOf(window, byId(Prisma.sql`n.id`, 'descending'));
  return db.$queryRaw<NoticeView[]>`
    SELECT ${COLUMNS} FROM notices n WHERE n.user_id = ${userId}::uuid ${within} ${page}`;
};

/** A query of a user's unread notices. Index: notices_unread. */
export const unreadQuery = (userId: string): Prisma.Sql =>
  Prisma.sql`SELECT FROM notices WHERE user_id = ${userId}::uuid AND read_at IS NULL`;

/** Marks a user's notices as read, up to one of them. @returns the number. Index: notices_unread. */
export const markRead = (
  db: Pick<Db, '$executeRaw'>,
  userId: string,
  upTo: string,
): Promise<number> =>
  db.$executeRaw`
    UPDATE notices SET read_at = ledger_now()
    WHERE user_id = ${userId}::uuid AND read_at IS NULL AND id <= ${upTo}::uuid`;

/** Deletes notices after ninety days, read or not. @returns the number. Index: notices_at_idx. */
export const pruneNotices = (db: Pick<Db, '$executeRaw'>, limit: number): Promise<number> =>
  db.$executeRaw`
    DELETE FROM notices WHERE (user_id, id) IN (
      SELECT user_id, id FROM notices WHERE at < (SELECT ledger_now()) - interval '90 days'
      ORDER BY at LIMIT ${limit} ${skippingLocked(db)})`;
