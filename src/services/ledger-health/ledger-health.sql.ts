import type { Reader } from '../../infra/db.js';

/**
 * Whether the accounts have at most `transactions` transactions together. Reads at most one account more than that,
 * because a larger ledger has more transactions anyway.
 */
export async function hasAtMost(db: Reader, transactions: number): Promise<boolean> {
  const [row] = await db.$queryRaw<{ few: boolean }[]>`
    SELECT count(*) <= ${transactions}::int AND coalesce(sum(last_seq), 0) <= ${transactions}::int AS few
    FROM (SELECT last_seq FROM credit_accounts LIMIT ${transactions}::int + 1) first_accounts`;
  return row?.few === true;
}

/** Whether a queue has a job that is waiting or running. Indexes: pg-boss' own, by name and state. */
export async function hasLiveJob(db: Reader, queue: string): Promise<boolean> {
  const [row] = await db.$queryRaw<{ live: boolean }[]>`
    SELECT EXISTS (
      SELECT FROM pgboss.job WHERE name = ${queue} AND state IN ('created', 'retry', 'active')
    ) AS live`;
  return row?.live === true;
}
