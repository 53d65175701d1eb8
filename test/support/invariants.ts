import { createHash } from 'node:crypto';
import { expect } from '@jest/globals';
import type { TestDatabase } from './cluster.js';

type Database = Pick<TestDatabase, 'sql'> & Partial<Pick<TestDatabase, 'setBackMs'>>;
import { CHAIN, type ChainRow, wrongTerms } from './chain.js';
import { wrongReplays } from './replay.js';

/** What the queries below read. */
const TABLES =
  'users, audios, audio_requests, credit_accounts, credit_lots, credit_transactions, credit_allocations, audit_entries, pgboss.job';

const RECORDED_AHEAD = '14 nothing was recorded in the future, or before what is in front of it';

/**
 * The ledger's invariants as an auditor would check them, sharing no code with the server. Each query
 * returns what is wrong.
 */
const INVARIANTS: Readonly<Record<string, string>> = {
  '1 remaining is the sum of the allocations': `
    SELECT l.user_id, l.id FROM credit_lots l
    LEFT JOIN credit_allocations a ON a.user_id = l.user_id AND a.lot_id = l.id
    GROUP BY l.user_id, l.id, l.remaining HAVING l.remaining <> coalesce(sum(a.amount), 0)`,
  '2 remaining lies between nothing and what was granted': `
    SELECT user_id, id FROM credit_lots WHERE NOT (0 <= remaining AND remaining <= granted)`,
  '3 a transaction is the sum of its allocations, with the sign of its type': `
    SELECT t.user_id, t.seq FROM credit_transactions t
    LEFT JOIN credit_allocations a USING (user_id, seq)
    GROUP BY t.user_id, t.seq, t.amount, t.type
    HAVING t.amount <> coalesce(sum(a.amount), 0) OR (t.type IN ('GRANT', 'REFUND')) <> (t.amount > 0)`,
  '4 no lot gets back more than a debit took from it': `
    SELECT d.user_id, d.seq, da.lot_id FROM credit_transactions d
    JOIN credit_allocations da ON da.user_id = d.user_id AND da.seq = d.seq
    JOIN credit_transactions r ON r.user_id = d.user_id AND r.debit_seq = d.seq
    JOIN credit_allocations ra ON ra.user_id = r.user_id AND ra.seq = r.seq AND ra.lot_id = da.lot_id
    WHERE d.type = 'DEBIT'
    GROUP BY d.user_id, d.seq, da.lot_id, da.amount HAVING sum(ra.amount) > -da.amount`,
  '5 a narration has at most one debit that is not given back': `
    SELECT d.user_id, d.audio_id FROM credit_transactions d
    WHERE d.type = 'DEBIT' AND d.audio_id IS NOT NULL AND -d.amount > coalesce((
      SELECT sum(r.amount) FROM credit_transactions r
      WHERE r.user_id = d.user_id AND r.debit_seq = d.seq), 0)
    GROUP BY d.user_id, d.audio_id HAVING count(*) > 1`,
  '6 no debit took from a lot that had lapsed or was revoked': `
    SELECT t.user_id, t.seq FROM credit_transactions t
    JOIN credit_allocations a USING (user_id, seq)
    JOIN credit_lots l ON l.user_id = a.user_id AND l.id = a.lot_id
    WHERE t.type = 'DEBIT' AND (t.effective_at >= l.expires_at OR t.effective_at > l.revoked_at)`,
  '7 no lapsed lot holds points for longer than the sweep takes, and no revoked one any': `
    SELECT user_id, id FROM credit_lots
    WHERE remaining > 0 AND (revoked_at IS NOT NULL OR expires_at < ledger_now() - interval '10 minutes')`,
  '8 lot and transaction of every allocation belong to its user': `
    SELECT a.user_id, a.seq FROM credit_allocations a
    WHERE NOT EXISTS (SELECT FROM credit_lots l WHERE l.user_id = a.user_id AND l.id = a.lot_id)
      OR NOT EXISTS (SELECT FROM credit_transactions t WHERE t.user_id = a.user_id AND t.seq = a.seq)`,
  '11 by source: granted = remaining + debited - refunded + expired + revoked': `
    SELECT l.source FROM credit_lots l
    JOIN credit_allocations a ON a.user_id = l.user_id AND a.lot_id = l.id
    JOIN credit_transactions t ON t.user_id = a.user_id AND t.seq = a.seq
    GROUP BY l.source
    HAVING (SELECT sum(m.granted) FROM credit_lots m WHERE m.source = l.source) <>
      (SELECT sum(m.remaining) FROM credit_lots m WHERE m.source = l.source)
      - coalesce(sum(a.amount) FILTER (WHERE t.type <> 'GRANT'), 0)`,
  '12 a queued narration has a live job, and a failed one has its points back': `
    SELECT u.user_id, u.id FROM audios u
    LEFT JOIN credit_transactions d ON d.user_id = u.user_id AND d.seq = u.debit_seq
    WHERE (u.status IN ('QUEUED', 'PROCESSING') AND NOT EXISTS (
        SELECT FROM pgboss.job j
        WHERE j.name IN ('synthesize-audio', 'fail-audio') AND j.state IN ('created', 'retry', 'active')
          AND j.data->>'audioId' = u.id::text AND (j.data->>'attempt')::int = u.attempt))
      OR (u.status IN ('FAILED', 'CANCELLED') AND -d.amount <> coalesce((
        SELECT sum(r.amount) FROM credit_transactions r
        WHERE r.user_id = u.user_id AND r.debit_seq = u.debit_seq), 0))
      OR d.audio_id IS DISTINCT FROM u.id OR d.type <> 'DEBIT'`,
  '13 a closed account holds nothing when no job erases it': `
    SELECT a.user_id, sum(l.remaining) FROM credit_accounts a JOIN credit_lots l USING (user_id)
    WHERE a.closed_at IS NOT NULL AND a.user_id::text NOT IN (
      SELECT data->>'userId' FROM pgboss.job
      WHERE name = 'erase-account' AND state NOT IN ('completed', 'cancelled', 'failed'))
    GROUP BY a.user_id HAVING sum(l.remaining) <> 0`,
  [RECORDED_AHEAD]: `
    SELECT t.user_id, t.seq FROM credit_transactions t
    LEFT JOIN credit_transactions p ON p.user_id = t.user_id AND p.seq = t.seq - 1
    WHERE p.recorded_at > t.recorded_at OR t.recorded_at - interval '5 minutes' > ledger_now()`,
};

async function brokenChains(database: Database): Promise<string[]> {
  const wrong: string[] = [];
  const heads = new Map<string, { hash: Buffer; seq: number; balance: number }>();
  for (const row of await database.sql<ChainRow>(CHAIN)) {
    const head = heads.get(row.user_id) ?? { hash: Buffer.alloc(32), seq: 0, balance: 0 };
    const hash = createHash('sha256')
      .update(head.hash)
      .update(row.text ?? '')
      .digest();
    const balance = head.balance + row.amount;
    const sound =
      hash.equals(row.hash) && row.seq === head.seq + 1 && row.balance_after === balance;
    if (!sound) wrong.push(`${row.user_id} ${String(row.seq)}`);
    heads.set(row.user_id, { hash: row.hash, seq: row.seq, balance });
  }
  const accounts = await database.sql<{ user_id: string; last_seq: number; head_hash: Buffer }>(
    'SELECT * FROM credit_accounts',
  );
  for (const account of accounts) {
    const head = heads.get(account.user_id) ?? { hash: Buffer.alloc(32), seq: 0 };
    if (head.seq !== account.last_seq || !head.hash.equals(account.head_hash))
      wrong.push(account.user_id);
  }
  return wrong;
}

/** What is wrong with the ledger, by invariant; {} when it is sound. */
export async function violations(
  database: Database,
  options: { replay: boolean } = { replay: true },
): Promise<Record<string, unknown[]>> {
  const found: Record<string, unknown[]> = {};
  // So that the planner knows what it has before it. The tables are named, because those of the catalogue, which are
  // many, take a quarter of a second.
  await database.sql(`ANALYZE ${TABLES}`);
  for (const [name, query] of Object.entries(INVARIANTS)) {
    const rows = await database.sql(query);
    if (rows.length > 0) found[name] = rows;
  }
  const chains = await brokenChains(database);
  if (chains.length > 0) found['9 the chain verifies, without a gap'] = chains;
  const terms = await wrongTerms(database);
  if (terms.length > 0) found['15 lots are what the hashes say that they are'] = terms;
  const replays = options.replay ? await wrongReplays(database) : [];
  if (replays.length > 0) found['10 the history is what the rules come to'] = replays;
  return found;
}

/**
 * Called at the end of every test that moves points. What a test has recorded before it set the clock back lies in the
 * future by as much.
 */
export async function expectSoundLedger(database: Database): Promise<void> {
  const { [RECORDED_AHEAD]: ahead, ...found } = await violations(database);
  expect(found).toEqual({});
  if ((database.setBackMs?.() ?? 0) === 0) expect(ahead).toBeUndefined();
}
