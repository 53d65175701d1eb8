import type { OpenApp } from '../src/open-app.ts';
import type { UserId } from '../src/domain/ids.ts';
import type * as Credits from '../src/services/credits/credits.ts';
import { grantRequest, makeUsers } from './accounts.ts';
import { compiled, print, type Bench } from './support.ts';

const TRANSACTIONS = 5_000_000;
const LOTS = 10_000;
const OPEN_LOTS = 10;
const REPETITIONS = 200;

/** A history of one lot and debits of 1 point, put there without the ledger: only reading it is measured. */
async function makeHistory(app: OpenApp, userId: UserId): Promise<void> {
  const { seq, lotId } = await app.ledger.grant(grantRequest(userId, 10));
  await app.db.$executeRawUnsafe(`
    DO $$ BEGIN
      SET LOCAL session_replication_role = replica;
      INSERT INTO credit_transactions (user_id, seq, id, type, amount, balance_after, reason, effective_at,
        recorded_at, idempotency_key, hash)
      SELECT '${userId}', n, gen_random_uuid(),
        (CASE n % 1000 WHEN 0 THEN 'GRANT' ELSE 'DEBIT' END)::credit_transaction_type,
        CASE n % 1000 WHEN 0 THEN 999 ELSE -1 END, 1000 - n % 1000, 'bench',
        now() - make_interval(secs => ${String(TRANSACTIONS)} - n),
        now() - make_interval(secs => ${String(TRANSACTIONS)} - n), 'bench:' || n, decode(repeat('00', 32), 'hex')
      FROM generate_series(${String(seq + 1)}, ${String(TRANSACTIONS)}) n;
      INSERT INTO credit_allocations (user_id, seq, ordinal, lot_id, amount)
      SELECT '${userId}', n, 1, '${lotId}', -1 FROM generate_series(${String(seq + 1)}, ${String(TRANSACTIONS)}) n;
    END $$`);
  await app.db.$executeRawUnsafe('VACUUM ANALYZE credit_transactions, credit_allocations');
}

/** Milliseconds of the median run; both are run in turns, so that noise falls on both. */
async function compare(
  one: () => Promise<unknown>,
  other: () => Promise<unknown>,
): Promise<[number, number]> {
  const times: [number[], number[]] = [[], []];
  const run = async (work: () => Promise<unknown>, list: number[]): Promise<void> => {
    const startedAt = performance.now();
    await work();
    list.push(performance.now() - startedAt);
  };
  for (let repetition = 0; repetition < REPETITIONS; repetition += 1) {
    await run(one, times[0]);
    await run(other, times[1]);
  }
  const median = (list: number[]): number => list.sort((a, b) => a - b)[list.length >> 1] ?? 0;
  return [median(times[0]), median(times[1])];
}

async function explain(app: OpenApp, query: string): Promise<void> {
  const plan = await app.db.$queryRawUnsafe<{ 'QUERY PLAN': string }[]>(
    `EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) ${query}`,
  );
  for (const line of plan) print(`      ${line['QUERY PLAN']}`);
}

const show = (what: string, [one, other]: [number, number]): void => {
  print(
    `  ${what.padEnd(58)} ${one.toFixed(2)} ms and ${other.toFixed(2)} ms  × ${(other / one).toFixed(2)}`,
  );
};

/** Pages deep in a long history, and the balance of an account with many lots. */
export async function benchReads({ app }: Bench): Promise<void> {
  print(`\nReads (medians of ${String(REPETITIONS)})`);
  const { listHistory, allocationsByKey, balancesBySource, ledgerKey } = await compiled<
    typeof Credits
  >('services/credits/credits.js');
  const [long, many, few] = (await makeUsers(app, 3)) as [UserId, UserId, UserId];
  const startedAt = performance.now();
  await makeHistory(app, long);
  print(
    `  a history of ${TRANSACTIONS.toLocaleString('en')} transactions, made in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`,
  );
  const page = async (seq: number | null, type: 'GRANT'[] | null = null): Promise<unknown> => {
    const after =
      seq === null
        ? null
        : Buffer.from(JSON.stringify(['creditHistory', seq])).toString('base64url');
    const { edges } = await listHistory(app, long, { first: 100, after, type });
    if (edges.length !== 100) throw new Error('The page is not full.');
    return allocationsByKey(
      app,
      edges.map(({ node }) => ledgerKey(long, node.seq)),
    );
  };
  const deep = 1_234_567;
  show(
    'first page of 100, and one deep inside',
    await compare(
      () => page(null),
      () => page(deep),
    ),
  );
  show(
    'the same of GRANTs only, one in a thousand',
    await compare(
      () => page(null, ['GRANT']),
      () => page(deep, ['GRANT']),
    ),
  );
  await explain(
    app,
    `SELECT * FROM credit_transactions t WHERE t.user_id = '${long}' AND t.seq < ${String(deep)} ORDER BY t.seq DESC LIMIT 101`,
  );
  for (const [userId, lots] of [
    [many, LOTS],
    [few, OPEN_LOTS],
  ] as const) {
    await Promise.all(
      Array.from({ length: lots }, () => app.ledger.grant(grantRequest(userId, 5))),
    );
  }
  // All but the last few are spent, as the sum of the movements that would have done it.
  await app.db.$executeRaw`
    UPDATE credit_lots SET remaining = 0 WHERE user_id = ${many}::uuid AND id NOT IN (
      SELECT id FROM credit_lots WHERE user_id = ${many}::uuid ORDER BY id DESC LIMIT ${OPEN_LOTS})`;
  await app.db.$executeRawUnsafe('VACUUM ANALYZE credit_lots');
  show(
    `balance with ${String(OPEN_LOTS)} lots, and with ${LOTS.toLocaleString('en')} of which ${String(OPEN_LOTS)} are open`,
    await compare(
      () => balancesBySource(app, [few]),
      () => balancesBySource(app, [many]),
    ),
  );
  await explain(
    app,
    `SELECT sum(remaining) FROM credit_lots l WHERE l.user_id = ANY('{${many}}') AND l.remaining > 0
     AND l.revoked_at IS NULL AND now() < coalesce(l.expires_at, 'infinity')`,
  );
}
