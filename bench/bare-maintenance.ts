import pg from 'pg';
import type * as Migrations from '../src/infra/migrations.ts';
import type * as Places from '../src/installation.ts';
import { compiled } from './support.ts';

const ROWS_IN_A_BATCH = 500;
const LANES = 2;

/** The next lapsed lots, after the user $1, of a lane: with the locks that the sweep takes, and a hash each. */
const SWEEP = `
  WITH lot AS MATERIALIZED (
    SELECT user_id, id, remaining, expires_at FROM credit_lots
    WHERE is_open AND revoked_at IS NULL AND expires_at IS NOT NULL AND expires_at <= now() AND user_id > $1 AND user_id < $2
    ORDER BY expires_at, user_id, id LIMIT ${String(ROWS_IN_A_BATCH)}
  ), account AS MATERIALIZED (
    SELECT user_id, last_seq, head_hash FROM credit_accounts
    WHERE user_id = ANY(ARRAY(SELECT user_id FROM lot)) ORDER BY user_id FOR UPDATE SKIP LOCKED
  ), movement AS MATERIALIZED (
    SELECT lot.*, uuidv7() AS transaction_id, last_seq + 1 AS seq, sha256(head_hash) AS hash
    FROM account JOIN lot USING (user_id)
  ), emptied AS (
    UPDATE credit_lots l SET remaining = 0 FROM movement m WHERE l.user_id = m.user_id AND l.id = m.id
  ), booked AS (
    INSERT INTO credit_transactions (user_id, seq, id, format, type, amount, balance_after, idempotency_key,
      effective_at, recorded_at, hash)
    SELECT user_id, seq, transaction_id, 2, 'EXPIRY', -remaining, 0, 'expire:' || id, expires_at, now(), hash FROM movement
  ), allocated AS (
    INSERT INTO credit_allocations (user_id, seq, ordinal, lot_id, amount)
    SELECT user_id, seq, 1, id, -remaining FROM movement
  ), moved AS (
    UPDATE credit_accounts a SET last_seq = m.seq, head_hash = m.hash FROM movement m WHERE a.user_id = m.user_id
  )
  SELECT count(*)::int AS rows, max(user_id::text) AS last FROM movement`;

/** The same for the allowances of the next users. */
const GRANT = `
  WITH recipient AS MATERIALIZED (
    SELECT id AS user_id FROM users WHERE id > $1 AND id < $2 ORDER BY id LIMIT ${String(ROWS_IN_A_BATCH)}
  ), account AS MATERIALIZED (
    SELECT user_id, last_seq, head_hash FROM credit_accounts
    WHERE user_id = ANY(ARRAY(SELECT user_id FROM recipient)) ORDER BY user_id FOR UPDATE SKIP LOCKED
  ), movement AS MATERIALIZED (
    SELECT user_id, uuidv7() AS id, uuidv7() AS transaction_id, last_seq + 1 AS seq, sha256(head_hash) AS hash FROM account
  ), made AS (
    INSERT INTO credit_lots (user_id, id, source, priority, granted, remaining, granted_at, expires_at, period)
    SELECT user_id, id, 'MONTHLY', 20, 5, 5, now(), now() + interval '1 month', '2026-11' FROM movement
  ), booked AS (
    INSERT INTO credit_transactions (user_id, seq, id, format, type, amount, balance_after, reason, idempotency_key,
      request_hash, effective_at, recorded_at, lot_terms, hash)
    SELECT user_id, seq, transaction_id, 2, 'GRANT', 5, 5, 'Allowance for 2026-11', 'monthly:2026-11', hash, now(), now(),
      json_build_array(json_build_array(id::text, 'MONTHLY', '20', '5', now()::text, now()::text, '', '2026-11')), hash
    FROM movement
  ), allocated AS (
    INSERT INTO credit_allocations (user_id, seq, ordinal, lot_id, amount) SELECT user_id, seq, 1, id, 5 FROM movement
  ), moved AS (
    UPDATE credit_accounts a SET last_seq = m.seq, head_hash = m.hash FROM movement m WHERE a.user_id = m.user_id
  )
  SELECT count(*)::int AS rows, max(user_id::text) AS last FROM movement`;

/** Users with one lapsed lot each, whose movements have no text and so no valid hash. */
const FILL = `
  INSERT INTO users (id, email, password_hash, email_verified_at)
    SELECT gen_random_uuid(), n || '@bare.example', '', now() FROM generate_series(1, SIZE) n;
  INSERT INTO credit_accounts (user_id, last_seq, head_hash) SELECT id, 1, sha256('') FROM users;
  INSERT INTO credit_lots (user_id, id, source, priority, granted, remaining, granted_at, expires_at)
    SELECT id, uuidv7(), 'EVENT', 50, 5, 5, now() - interval '10 days', now() - interval '5 days' FROM users;
  INSERT INTO credit_transactions (user_id, seq, id, format, type, amount, balance_after, reason, idempotency_key,
      request_hash, effective_at, recorded_at, hash)
    SELECT user_id, 1, uuidv7(), 2, 'GRANT', 5, 5, 'bench', 'grant:' || id, sha256(''), granted_at, granted_at, sha256('')
    FROM credit_lots;
  INSERT INTO credit_allocations (user_id, seq, ordinal, lot_id, amount) SELECT user_id, 1, 1, id, 5 FROM credit_lots`;

export interface BareSpeeds {
  /** Rows a second. */
  readonly sweep: number;
  readonly grant: number;
}

/**
 * What Postgres alone needs for the rows of the tasks: the same tables, indexes, triggers, locks and batches, each batch
 * one statement that selects its rows itself, in two connections. No text is hashed, and nothing is decided or logged.
 */
export async function measureBare(databaseUrl: string, size: number): Promise<BareSpeeds> {
  const owner = new pg.Client({ connectionString: databaseUrl });
  await owner.connect();
  await owner.query('CREATE DATABASE bare');
  const url = new URL(databaseUrl);
  url.pathname = '/bare';
  const { applyMigrations } = await compiled<typeof Migrations>('infra/migrations.js');
  const { MIGRATIONS } = await compiled<typeof Places>('installation.js');
  await applyMigrations(url.href, MIGRATIONS);
  const clients = Array.from(
    { length: LANES },
    () => new pg.Client({ connectionString: url.href }),
  );
  await Promise.all(clients.map((client) => client.connect()));
  try {
    await clients[0]?.query(FILL.replace('SIZE', String(size)));
    await clients[0]?.query('VACUUM ANALYZE');
    return { sweep: await run(clients, SWEEP), grant: await run(clients, GRANT) };
  } finally {
    await Promise.all(clients.map((client) => client.end()));
    await owner.query('DROP DATABASE bare');
    await owner.end();
  }
}

/** Each connection takes the users of one half of the ids. @returns rows a second */
async function run(clients: readonly pg.Client[], statement: string): Promise<number> {
  const bounds = ['00000000-0000-0000-0000-000000000000', '80000000-0000-0000-0000-000000000000'];
  const startedAt = performance.now();
  let done = 0;
  await Promise.all(
    clients.map(async (client, lane) => {
      const end = bounds[lane + 1] ?? 'ffffffff-ffff-ffff-ffff-ffffffffffff';
      for (let after = bounds[lane] ?? ''; ;) {
        const query = { name: statement.slice(0, 60), text: statement, values: [after, end] };
        const { rows } = await client.query<{ rows: number; last: string | null }>(query);
        const [batch] = rows;
        if (batch?.last == null) return;
        done += batch.rows;
        after = batch.last;
      }
    }),
  );
  return done / ((performance.now() - startedAt) / 1000);
}
