import type { Window } from '../../domain/paging.js';
import { Prisma, type Reader } from '../../infra/db.js';
import { keysetOf, type ListOrder } from '../keyset.sql.js';

/** When it failed, in microseconds since 1970, and its id. */
export type FailureKey = readonly [number, string];

/** A job whose retries are used up, as pg-boss keeps it. */
export interface FailedJobRow {
  readonly id: string;
  readonly queue: string;
  readonly failedAt: Date;
  readonly failedAtMicros: number;
  readonly attempts: number;
  /** Not redacted. Null when the last attempt left no message. */
  readonly message: string | null;
  readonly userId: string | null;
  readonly audioId: string | null;
}

const instantOf = (micros: number): Prisma.Sql =>
  Prisma.sql`timestamptz 'epoch' + ${micros}::int8 * interval '1 microsecond'`;

const LATEST_FIRST: ListOrder<FailureKey> = {
  columns: [Prisma.sql`j.completed_on`, Prisma.sql`j.id`],
  direction: 'descending',
  valuesOf: ([micros, id]) => [instantOf(micros), Prisma.sql`${id}::uuid`],
};

/**
 * Failed jobs of a queue, latest failure first. No locks. Indexes: pg-boss' own, by name and state or by name and end.
 * Failed jobs are deleted after a while.
 */
export const readFailures = (
  db: Reader,
  { window, queue }: { window: Window<FailureKey>; queue: string },
): Promise<FailedJobRow[]> => {
  const { within, page } = keysetOf(window, LATEST_FIRST);
  return db.$queryRaw<FailedJobRow[]>`
    SELECT j.id, j.name AS queue, j.completed_on AS "failedAt",
           (extract(epoch FROM j.completed_on) * 1000000)::float8 AS "failedAtMicros",
           j.retry_count + 1 AS attempts, coalesce(j.output->>'message', j.output->'value'->>'message') AS message,
           j.data->>'userId' AS "userId", j.data->>'audioId' AS "audioId"
    FROM pgboss.job j
    WHERE j.name = ${queue} AND j.state = 'failed' AND j.completed_on IS NOT NULL
      ${within}
    ${page}`;
};

/** Whether there is a queue with this name, which is not one of pg-boss' own. Index: pg-boss' primary key. */
export async function hasQueue(db: Reader, name: string): Promise<boolean> {
  const rows = await db.$queryRaw<unknown[]>`
    SELECT FROM pgboss.queue WHERE name = ${name} AND name NOT LIKE '\\_\\_%'`;
  return rows.length > 0;
}
