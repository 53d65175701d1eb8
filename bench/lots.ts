import pg from 'pg';
import { print, type Bench } from './support.ts';

const ACCOUNTS = 50_000;
const LOTS_OF_EACH = 4;
const AT_ONCE = 64;
const BATCHES = 3_000;
/** Whose lots are all empty but three. */
const LOTS_OF_OLD_ACCOUNT = 10_000;

/** The table as it was when the conditions of its indexes named what each debit changes. */
const BEFORE = `
  CREATE TABLE lots_before (LIKE credit_lots INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
  ALTER TABLE lots_before ADD PRIMARY KEY (user_id, id), SET (autovacuum_enabled = off);
  ALTER TABLE credit_lots SET (autovacuum_enabled = off);
  CREATE INDEX ON lots_before (user_id, granted_at, id);
  CREATE INDEX ON lots_before (id);
  CREATE UNIQUE INDEX ON lots_before (user_id, source, period) WHERE period IS NOT NULL;
  CREATE INDEX ON lots_before (user_id, priority, expires_at, granted_at, id) WHERE remaining > 0 AND revoked_at IS NULL;
  CREATE INDEX ON lots_before (expires_at) WHERE remaining > 0 AND revoked_at IS NULL AND expires_at IS NOT NULL`;

const FILL = `
  INSERT INTO TABLE_NAME (user_id, id, source, priority, granted, remaining, granted_at, expires_at)
  SELECT user_id, gen_random_uuid(), 'EVENT', 10, 1000000, 1000000, ledger_now(), ledger_now() + interval '30 days'
  FROM bench_accounts, generate_series(1, ${String(LOTS_OF_EACH)})`;

/** Debits of lots that hold more than is taken: how many rows are written without an entry in any index, and how fast. */
export async function benchLots({ databaseUrl }: Bench): Promise<void> {
  print(
    `\nDebits of ${(ACCOUNTS * LOTS_OF_EACH).toLocaleString('en')} lots, the rows of the lots alone`,
  );
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(`SET synchronous_commit = off; ${BEFORE};
    CREATE TEMPORARY TABLE bench_accounts AS SELECT gen_random_uuid() AS user_id FROM generate_series(1, ${String(ACCOUNTS)});
    INSERT INTO users (id, email, password_hash) SELECT user_id, user_id || '@lots.example', '' FROM bench_accounts;
    INSERT INTO credit_accounts (user_id) SELECT user_id FROM bench_accounts`);
  const speeds: number[] = [];
  for (const table of ['lots_before', 'credit_lots']) {
    await client.query(FILL.replace('TABLE_NAME', table));
    await client.query(`VACUUM ANALYZE ${table}`);
    const before = await sizesOf(client, table);
    const perSecond = await debit(client, table);
    const after = await sizesOf(client, table);
    speeds.push(perSecond);
    print(`  ${table === 'credit_lots' ? 'as it is           ' : '"remaining" indexed'} ${after.hot} % HOT  \
${perSecond.toFixed(0)} updates/s  heap ${before.heap} → ${after.heap} MB  indexes ${before.indexes} → ${after.indexes} MB`);
  }
  print(`  as it is × ${((speeds[1] ?? 0) / (speeds[0] ?? 1)).toFixed(2)}`);
  await benchOldAccount(client);
  await client.query('DROP TABLE lots_before; ALTER TABLE credit_lots RESET (autovacuum_enabled)');
  await client.end();
}

async function debit(client: pg.Client, table: string): Promise<number> {
  const { rows } = await client.query<{ user_id: string; id: string }>(
    `SELECT user_id, id FROM ${table} ORDER BY id`,
  );
  const startedAt = performance.now();
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const picked = Array.from(
      { length: AT_ONCE },
      (_, place) => rows[((batch * AT_ONCE + place) * 7919) % rows.length],
    );
    await client.query({
      name: `debit ${table}`,
      text: `UPDATE ${table} l SET remaining = remaining - 1 FROM unnest($1::uuid[], $2::uuid[]) AS r(user_id, id)
        WHERE l.user_id = r.user_id AND l.id = r.id`,
      values: [picked.map((one) => one?.user_id), picked.map((one) => one?.id)],
    });
  }
  return (BATCHES * AT_ONCE) / ((performance.now() - startedAt) / 1000);
}

async function sizesOf(
  client: pg.Client,
  table: string,
): Promise<{ heap: string; indexes: string; hot: string }> {
  await client.query('SELECT pg_stat_force_next_flush()');
  const { rows } = await client.query<{ heap: string; indexes: string; hot: string }>(
    `SELECT round(pg_relation_size($1::regclass) / 1e6)::text AS heap,
       round(pg_indexes_size($1::regclass) / 1e6)::text AS indexes,
       round(100.0 * n_tup_hot_upd / greatest(n_tup_upd, 1), 1)::text AS hot
     FROM pg_stat_user_tables WHERE relid = $1::regclass`,
    [table],
  );
  return rows[0] ?? { heap: '', indexes: '', hot: '' };
}

async function benchOldAccount(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ user_id: string }>(`
    INSERT INTO credit_lots (user_id, id, source, priority, granted, remaining, granted_at)
    SELECT (SELECT user_id FROM bench_accounts LIMIT 1), gen_random_uuid(), 'FREE', 50, 10, CASE WHEN n <= 3 THEN 10 ELSE 0 END,
      ledger_now()
    FROM generate_series(1, ${String(LOTS_OF_OLD_ACCOUNT)}) n RETURNING user_id`);
  await client.query('VACUUM ANALYZE credit_lots');
  const times: number[] = [];
  for (let time = 0; time < 101; time += 1) {
    const startedAt = performance.now();
    await client.query(
      'SELECT * FROM credit_lots WHERE user_id = $1 AND is_open AND revoked_at IS NULL',
      [rows[0]?.user_id],
    );
    times.push(performance.now() - startedAt);
  }
  const median = times.sort((a, b) => a - b)[50] ?? 0;
  print(
    `  the open lots of an account that had ${String(LOTS_OF_OLD_ACCOUNT)}  ${median.toFixed(2)} ms`,
  );
}
