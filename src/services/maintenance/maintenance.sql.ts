import { FIRST_ID } from '../../domain/ids.js';
import { isDistributed } from '../../infra/citus/placement.js';
import { Prisma, type Db, type Reader } from '../../infra/db.js';
import { SENDS_CHANGES } from '../live/change-sender.sql.js';

/**
 * The number of other connections to this database that are not idle. Without those that send changes, because a task
 * that moves points would otherwise give way to the notices of its own changes. No locks.
 */
export async function countBusyConnections(db: Reader): Promise<number> {
  const [row] = await db.$queryRaw<{ busy: number }[]>`
    SELECT count(*)::int AS busy FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND backend_type = 'client backend' AND state <> 'idle'
      AND NOT starts_with(query, ${SENDS_CHANGES.sql})`;
  return row?.busy ?? 0;
}

/**
 * A share of the accounts, by the last byte of their ids: those for which it leaves `number` when divided by `of`. Lanes
 * settle batches at the same time, and never wait for each other's locks.
 */
export interface Lane {
  readonly number: number;
  readonly of: number;
}

/** A page of a walk: rows of the lane, and its last row if there may be more. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly next: Row | null;
}

const pageOf = <Row>(rows: readonly Row[], limit: number): Page<Row> => ({
  rows,
  next: rows.length < limit ? null : (rows.at(-1) ?? null),
});

/**
 * Whether a user is in the lane and, only then, whether `condition` holds. A CASE is evaluated in its order, and the planner
 * expects it to hold for every other row. It would take the plain condition for a rare one, and sort whole tables instead
 * of using the index.
 */
const inLane = (
  userId: Prisma.Sql,
  { number, of }: Lane,
  condition = Prisma.sql`true`,
): Prisma.Sql =>
  Prisma.sql`CASE WHEN get_byte(uuid_send(${userId}), 15) % ${of}::int = ${number}::int THEN ${condition} ELSE false END`;

/** The position of a walk over lapsed lots. */
export interface LapsedLot {
  readonly userId: string;
  readonly lotId: string;
  readonly expiresAt: Date;
}

/**
 * Lapsed lots that hold points, oldest first, after a given one. No locks, because their points are read again under
 * the accounts' locks. Index: credit_lots_lapsing.
 */
export async function readLapsedLots(
  db: Reader,
  wanted: { after: LapsedLot | null; until: Date; limit: number; lane: Lane },
): Promise<Page<LapsedLot>> {
  const { after, until, limit, lane } = wanted;
  const rows = await db.$queryRaw<LapsedLot[]>`
    SELECT user_id AS "userId", id AS "lotId", expires_at AS "expiresAt" FROM credit_lots
    WHERE is_open AND revoked_at IS NULL AND expires_at IS NOT NULL
      AND expires_at <= ${until}::timestamptz
      AND (expires_at, user_id, id) > (coalesce(${after?.expiresAt ?? null}::timestamptz, '-infinity'),
        ${after?.userId ?? FIRST_ID}::uuid, ${after?.lotId ?? FIRST_ID}::uuid)
      AND ${inLane(Prisma.sql`user_id`, lane)}
    ORDER BY expires_at, user_id, id LIMIT ${limit}`;
  return pageOf(rows, limit);
}

/** How many lapsed lots are added up at most, so that the sum costs little while a sweep is behind. */
const LAPSED_LOTS_MAX = 20_000;

/**
 * Points in the oldest lapsed lots whose expiry is not booked yet. The clock is a value and not a joined row, so that the
 * index ends the scan. Index: credit_lots_lapsing.
 */
export async function readLapsedPoints(db: Reader): Promise<number> {
  const [row] = await db.$queryRaw<{ points: number }[]>`
    SELECT coalesce(sum(remaining), 0)::float8 AS points FROM (
      SELECT remaining FROM credit_lots
      WHERE is_open AND revoked_at IS NULL AND expires_at IS NOT NULL AND expires_at <= (SELECT ledger_now())
      ORDER BY expires_at, user_id, id LIMIT ${LAPSED_LOTS_MAX}) lapsed`;
  return row?.points ?? 0;
}

/** A user who is entitled to a month's allowance. */
export interface Recipient {
  readonly userId: string;
  readonly amount: number;
}

const entitledAfter = (userId: string, defaultAmount: number): Prisma.Sql => Prisma.sql`
  u.id > ${userId}::uuid AND u.suspended_at IS NULL AND u.email_verified_at IS NOT NULL
  AND coalesce(u.monthly_credits, ${defaultAmount}::int) > 0`;

/**
 * The next users who are entitled to a month's allowance and have not got it: active, verified, with an amount above 0.
 * No locks, because the ledger refuses a second grant. The sub-select with LIMIT is one look-up for each user. A join
 * would read every lot of the month for every batch. Indexes: users_monthly, credit_lots_one_a_period.
 */
export async function readMonthlyRecipients(
  db: Reader,
  wanted: { after: string; period: string; defaultAmount: number; limit: number; lane: Lane },
): Promise<Page<Recipient>> {
  const { after, period, defaultAmount, limit, lane } = wanted;
  if (isDistributed(db)) return readRecipientsApart(db, wanted);
  const isDue = Prisma.sql`(SELECT l.id FROM credit_lots l
    WHERE l.user_id = u.id AND l.source = 'MONTHLY' AND l.period = ${period} LIMIT 1) IS NULL`;
  const rows = await db.$queryRaw<Recipient[]>`
    SELECT u.id AS "userId", coalesce(u.monthly_credits, ${defaultAmount}::int) AS amount FROM users u
    WHERE ${entitledAfter(after, defaultAmount)}
      AND ${inLane(Prisma.sql`u.id`, lane, isDue)}
    ORDER BY u.id LIMIT ${limit}`;
  return pageOf(rows, limit);
}

/**
 * The same where the lots are on other servers than the list of users: two statements, of which the second looks the
 * users of a page up. Indexes: users_monthly, credit_lots_one_a_period.
 */
async function readRecipientsApart(
  db: Reader,
  wanted: Parameters<typeof readMonthlyRecipients>[1],
): Promise<Page<Recipient>> {
  const { after, period, defaultAmount, limit, lane } = wanted;
  const entitled = await db.$queryRaw<Recipient[]>`
    SELECT u.id AS "userId", coalesce(u.monthly_credits, ${defaultAmount}::int) AS amount FROM users u
    WHERE ${entitledAfter(after, defaultAmount)} AND ${inLane(Prisma.sql`u.id`, lane)}
    ORDER BY u.id LIMIT ${limit}`;
  const granted = await db.$queryRaw<{ userId: string }[]>`
    SELECT l.user_id AS "userId" FROM credit_lots l
    WHERE l.user_id = ANY(${entitled.map(({ userId }) => userId)}::uuid[]) AND l.source = 'MONTHLY'
      AND l.period = ${period}`;
  const have = new Set(granted.map(({ userId }) => userId));
  const { next } = pageOf(entitled, limit);
  return { rows: entitled.filter(({ userId }) => !have.has(userId)), next };
}

/** Records that a run of a task has begun. Index: task_runs_pkey. */
export const writeTaskStart = (db: Pick<Db, '$executeRaw'>, task: string): Promise<number> =>
  db.$executeRaw`
    INSERT INTO task_runs (task, started_at) VALUES (${task}, clock_timestamp())
    ON CONFLICT (task) DO UPDATE SET started_at = clock_timestamp()`;

/** Records that a run of a task has ended. Index: task_runs_pkey. */
export const writeTaskEnd = (
  db: Pick<Db, '$executeRaw'>,
  { task, isOk, durationMs }: { task: string; isOk: boolean; durationMs: number },
): Promise<number> =>
  db.$executeRaw`
    UPDATE task_runs SET duration_ms = ${durationMs}::int,
      succeeded_at = CASE WHEN ${isOk}::boolean THEN clock_timestamp() ELSE succeeded_at END,
      failed_at = CASE WHEN ${isOk}::boolean THEN failed_at ELSE clock_timestamp() END
    WHERE task = ${task}`;

/** The newest run of a task, in seconds since 1970. */
export interface TaskRunRow {
  readonly task: string;
  readonly startedAt: number;
  readonly succeededAt: number | null;
  readonly durationMs: number | null;
  /** Seconds since the last success, by the clock of the database. */
  readonly succeededAgo: number | null;
  /** Whether the newest finished run failed. */
  readonly hasFailed: boolean;
}

/** The newest run of each task. A row for each task. */
export const readTaskRuns = (db: Reader): Promise<TaskRunRow[]> =>
  db.$queryRaw<TaskRunRow[]>`
    SELECT task, extract(epoch FROM started_at)::float8 AS "startedAt",
           extract(epoch FROM succeeded_at)::float8 AS "succeededAt", duration_ms AS "durationMs",
           extract(epoch FROM clock_timestamp() - succeeded_at)::float8 AS "succeededAgo",
           failed_at IS NOT NULL AND (succeeded_at IS NULL OR failed_at > succeeded_at) AS "hasFailed"
    FROM task_runs`;
