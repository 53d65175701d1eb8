import { readAtLarge, type Db } from '../../infra/db.js';

/**
 * The invariants of the ledger, each a query that must return no row. `$1` and `$2` are the first and
 * the last user id to look at, so that the whole ledger is walked a range at a time; every query reads
 * the primary keys of its tables in order and takes no locks. The same text stands in docs/ledger.md,
 * and a test holds the two together.
 */
export interface Invariant {
  readonly number: string;
  readonly description: string;
  /** Returns user_id and, where they apply, lot_id, seq and audio_id. */
  readonly sql: string;
  /** Looks at the whole range in one go, because it is about what is going on now. */
  readonly atOnce?: true;
}

/** 9 and 10 read a history in order: see chain.sql.ts. */
export const INVARIANTS: readonly Invariant[] = [
  {
    number: '1',
    description: 'What remains in a lot is the sum of its allocations.',
    sql: `SELECT l.user_id, l.id AS lot_id
FROM credit_lots l
LEFT JOIN (
  SELECT user_id, lot_id, sum(amount) AS moved FROM credit_allocations
  WHERE user_id BETWEEN $1 AND $2 GROUP BY user_id, lot_id
) a ON a.user_id = l.user_id AND a.lot_id = l.id
WHERE l.user_id BETWEEN $1 AND $2 AND l.remaining <> coalesce(a.moved, 0)`,
  },
  {
    number: '2',
    description: 'A lot holds at least nothing and at most what was granted.',
    sql: `SELECT user_id, id AS lot_id
FROM credit_lots
WHERE user_id BETWEEN $1 AND $2 AND NOT (0 <= remaining AND remaining <= granted)`,
  },
  {
    number: '3',
    description: 'A transaction is the sum of its allocations, with the sign of its type.',
    sql: `SELECT t.user_id, t.seq
FROM credit_transactions t
LEFT JOIN (
  SELECT user_id, seq, sum(amount) AS moved FROM credit_allocations
  WHERE user_id BETWEEN $1 AND $2 GROUP BY user_id, seq
) a ON a.user_id = t.user_id AND a.seq = t.seq
WHERE t.user_id BETWEEN $1 AND $2
  AND (t.amount IS DISTINCT FROM a.moved OR (t.type IN ('GRANT', 'REFUND')) <> (t.amount > 0))`,
  },
  {
    number: '4',
    description: 'No lot gets back more than a debit took from it.',
    sql: `SELECT r.user_id, r.debit_seq AS seq, ra.lot_id
FROM credit_transactions r
JOIN credit_allocations ra ON ra.user_id = r.user_id AND ra.seq = r.seq
WHERE r.user_id BETWEEN $1 AND $2 AND ra.user_id BETWEEN $1 AND $2 AND r.type = 'REFUND'
GROUP BY r.user_id, r.debit_seq, ra.lot_id
HAVING sum(ra.amount) > coalesce((
  SELECT -sum(da.amount) FROM credit_transactions d
  JOIN credit_allocations da ON da.user_id = d.user_id AND da.seq = d.seq
  WHERE d.user_id = r.user_id AND d.seq = r.debit_seq AND d.type = 'DEBIT' AND da.lot_id = ra.lot_id
), 0)`,
  },
  {
    number: '5',
    description: 'A narration has at most one debit that is not fully given back.',
    sql: `SELECT d.user_id, d.audio_id, max(d.seq) AS seq
FROM credit_transactions d
LEFT JOIN (
  SELECT user_id, debit_seq, sum(amount) AS returned FROM credit_transactions
  WHERE user_id BETWEEN $1 AND $2 AND type = 'REFUND' GROUP BY user_id, debit_seq
) r ON r.user_id = d.user_id AND r.debit_seq = d.seq
WHERE d.user_id BETWEEN $1 AND $2 AND d.type = 'DEBIT' AND d.audio_id IS NOT NULL
  AND -d.amount > coalesce(r.returned, 0)
GROUP BY d.user_id, d.audio_id
HAVING count(*) > 1`,
  },
  {
    number: '6',
    description: 'No debit took from a lot after it had lapsed or was revoked.',
    sql: `SELECT t.user_id, t.seq, a.lot_id
FROM credit_lots l
JOIN credit_allocations a ON a.user_id = l.user_id AND a.lot_id = l.id
JOIN credit_transactions t ON t.user_id = a.user_id AND t.seq = a.seq AND t.type = 'DEBIT'
WHERE l.user_id BETWEEN $1 AND $2 AND a.user_id BETWEEN $1 AND $2 AND t.user_id BETWEEN $1 AND $2
  AND (l.expires_at IS NOT NULL OR l.revoked_at IS NOT NULL)
  AND (t.effective_at >= l.expires_at OR t.effective_at > l.revoked_at)`,
  },
  {
    number: '7',
    description:
      'No lapsed lot holds points for longer than ten minutes, for the sweep runs every five; and no revoked lot holds any.',
    sql: `SELECT user_id, id AS lot_id
FROM credit_lots, (SELECT ledger_now() AS now OFFSET 0) clock
WHERE user_id BETWEEN $1 AND $2 AND remaining > 0
  AND (revoked_at IS NOT NULL OR expires_at < clock.now - interval '10 minutes')`,
  },
  {
    number: '8',
    description: 'The lot and the transaction of every allocation belong to its user.',
    sql: `SELECT a.user_id, a.seq, a.lot_id
FROM credit_allocations a
LEFT JOIN credit_lots l
  ON l.user_id = a.user_id AND l.id = a.lot_id AND l.user_id BETWEEN $1 AND $2
LEFT JOIN credit_transactions t
  ON t.user_id = a.user_id AND t.seq = a.seq AND t.user_id BETWEEN $1 AND $2
WHERE a.user_id BETWEEN $1 AND $2 AND (l.id IS NULL OR t.seq IS NULL)`,
  },
  {
    number: '11',
    description: 'By source: granted = remaining + debited − refunded + expired + revoked.',
    sql: `SELECT l.user_id, min(l.source)::text AS source
FROM credit_lots l
LEFT JOIN (
  SELECT a.user_id, a.lot_id, sum(a.amount) FILTER (WHERE t.type = 'GRANT') AS granted,
         -sum(a.amount) FILTER (WHERE t.type <> 'GRANT') AS gone
  FROM credit_allocations a JOIN credit_transactions t USING (user_id, seq)
  WHERE a.user_id BETWEEN $1 AND $2 AND t.user_id BETWEEN $1 AND $2
  GROUP BY a.user_id, a.lot_id
) m ON m.user_id = l.user_id AND m.lot_id = l.id
WHERE l.user_id BETWEEN $1 AND $2
GROUP BY l.user_id, l.source
HAVING sum(l.granted) <> sum(l.remaining) + coalesce(sum(m.gone), 0)
  OR sum(l.granted) <> coalesce(sum(m.granted), 0)`,
  },
  {
    number: '12',
    description:
      'A narration in the making has a live job, and one that failed or was cancelled is given back.',
    atOnce: true,
    sql: `SELECT u.user_id, u.id AS audio_id, u.debit_seq AS seq
FROM audios u
LEFT JOIN (
  SELECT data->>'audioId' AS audio_id, (data->>'attempt')::int AS attempt FROM pgboss.job
  WHERE name IN ('synthesize-audio', 'fail-audio') AND state IN ('created', 'retry', 'active')
) j ON j.audio_id = u.id::text AND j.attempt = u.attempt
WHERE u.user_id BETWEEN $1 AND $2 AND u.status IN ('QUEUED', 'PROCESSING') AND j.audio_id IS NULL
UNION ALL
SELECT u.user_id, u.id, d.seq
FROM audios u
JOIN credit_transactions d ON d.user_id = u.user_id AND d.audio_id = u.id AND d.type = 'DEBIT'
WHERE u.user_id BETWEEN $1 AND $2 AND u.status IN ('FAILED', 'CANCELLED')
  AND -d.amount > coalesce((
    SELECT sum(r.amount) FROM credit_transactions r
    WHERE r.user_id = d.user_id AND r.debit_seq = d.seq), 0)`,
  },
];

export interface ViolationRow {
  readonly user_id: string;
  readonly lot_id?: string;
  readonly seq?: number | null;
  readonly audio_id?: string;
}

/** A ledger that is wrong everywhere must fit in memory too. */
const MOST_VIOLATIONS = 10_000;

/** What violates an invariant among users from one id to another, both included. */
export const readViolations = (
  db: Db,
  { sql }: Invariant,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<ViolationRow[]> =>
  readAtLarge(db, (tx) =>
    tx.$queryRawUnsafe<ViolationRow[]>(
      `SELECT * FROM (${sql}) violated LIMIT ${String(MOST_VIOLATIONS)}`,
      from,
      to,
    ),
  );
