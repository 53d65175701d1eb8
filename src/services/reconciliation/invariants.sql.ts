import type { Invariant } from './violations.sql.js';

/**
 * The terms of a lot in the form of `lot_terms`. A price without a currency, or a currency without a price, is
 * included, because the comparison must detect it.
 */
export const LOT_TERMS = `concat('["', id, '","', source, '","', priority, '","', granted, '","',
    to_char(granted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), '","',
    to_char(expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), '","',
    parent_lot_id, '",', to_json(coalesce(period, '')),
    CASE WHEN price_minor IS NOT NULL OR currency IS NOT NULL
      THEN concat(',"', price_minor, '",', to_json(coalesce(currency, ''))) END, ']')`;

/**
 * The invariants that are one query. Numbers 9 and 10 read a history in order (chain.sql.ts), and 16 the audit log
 * (audit.sql.ts).
 */
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
    cheap: true,
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
    joinsFreely: true,
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
    cheap: true,
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
      'A narration in the making has a live job, one that failed or was cancelled is given back, and the debit that each names is there.',
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
    WHERE r.user_id = d.user_id AND r.debit_seq = d.seq), 0)
UNION ALL
SELECT u.user_id, u.id, u.debit_seq
FROM audios u
LEFT JOIN credit_transactions d
  ON d.user_id = u.user_id AND d.seq = u.debit_seq AND d.audio_id = u.id AND d.type = 'DEBIT'
WHERE u.user_id BETWEEN $1 AND $2 AND d.seq IS NULL`,
  },
  {
    number: '13',
    description: 'A closed account holds no points, unless the job that erases it is still live.',
    atOnce: true,
    sql: `SELECT l.user_id, l.id AS lot_id
FROM credit_accounts a
JOIN credit_lots l ON l.user_id = a.user_id AND l.remaining > 0
LEFT JOIN (
  SELECT data->>'userId' AS user_id FROM pgboss.job
  WHERE name = 'erase-account' AND state IN ('created', 'retry', 'active')
) j ON j.user_id = a.user_id::text
WHERE a.user_id BETWEEN $1 AND $2 AND l.user_id BETWEEN $1 AND $2 AND a.closed_at IS NOT NULL
  AND j.user_id IS NULL`,
  },
  {
    number: '14',
    description:
      'No transaction was recorded before the one in front of it, or lies more than five minutes in the future.',
    sql: `SELECT user_id, seq
FROM (
  SELECT user_id, seq, recorded_at, lag(recorded_at) OVER (PARTITION BY user_id ORDER BY seq) AS before
  FROM credit_transactions WHERE user_id BETWEEN $1 AND $2
) t, (SELECT ledger_now() AS now OFFSET 0) clock
WHERE recorded_at < before OR recorded_at > clock.now + interval '5 minutes'`,
  },
  {
    number: '15',
    joinsFreely: true,
    description: 'The terms of each lot, and its revocation, are those that the hashes cover.',
    sql: `WITH lots AS (
  SELECT user_id, id, revoked_at, ${LOT_TERMS} AS terms
  FROM credit_lots WHERE user_id BETWEEN $1 AND $2
), heads AS (
  SELECT a.user_id, coalesce(t.format, 2) AS format, a.uncovered_revocations, a.closed_at
  FROM credit_accounts a
  LEFT JOIN credit_transactions t
    ON t.user_id = a.user_id AND t.seq = a.last_seq AND t.user_id BETWEEN $1 AND $2
  WHERE a.user_id BETWEEN $1 AND $2
), covered AS (
  SELECT t.user_id, t.seq, e.terms->>0 AS lot_id, e.terms::text AS terms
  FROM credit_transactions t CROSS JOIN LATERAL json_array_elements(t.lot_terms) AS e(terms)
  WHERE t.user_id BETWEEN $1 AND $2
), revoked AS (
  SELECT user_id, seq, unnest(revoked_lots) AS lot_id FROM credit_transactions
  WHERE user_id BETWEEN $1 AND $2 AND revoked_lots IS NOT NULL
  UNION ALL
  SELECT user_id, NULL, unnest(uncovered_revocations) FROM heads
)
SELECT c.user_id, c.seq, l.id AS lot_id
FROM covered c LEFT JOIN lots l ON l.user_id = c.user_id AND l.id::text = c.lot_id
WHERE l.terms IS DISTINCT FROM c.terms
UNION ALL
SELECT l.user_id, NULL, l.id
FROM lots l JOIN heads h ON h.user_id = l.user_id AND h.format > 1
WHERE NOT EXISTS (SELECT FROM covered c WHERE c.user_id = l.user_id AND c.lot_id = l.id::text)
UNION ALL
SELECT coalesce(l.user_id, r.user_id), r.seq, coalesce(l.id, r.lot_id)
FROM (SELECT user_id, id FROM lots WHERE revoked_at IS NOT NULL) l
FULL JOIN revoked r ON r.user_id = l.user_id AND r.lot_id = l.id
LEFT JOIN heads h ON h.user_id = l.user_id
WHERE l.id IS NULL OR (r.lot_id IS NULL AND h.format > 1)
UNION ALL
SELECT l.user_id, NULL, l.id
FROM lots l JOIN heads h ON h.user_id = l.user_id
WHERE l.revoked_at IS NOT NULL AND (h.closed_at <= l.revoked_at) IS NOT TRUE
  AND NOT EXISTS (
    SELECT FROM credit_allocations a JOIN credit_transactions t ON t.user_id = a.user_id AND t.seq = a.seq
    WHERE a.user_id = l.user_id AND a.lot_id = l.id AND t.recorded_at = l.revoked_at
      AND t.type IN ('EXPIRY', 'REVOCATION') AND (t.idempotency_key LIKE 'revoke-part:%') IS NOT TRUE
      AND a.user_id BETWEEN $1 AND $2 AND t.user_id BETWEEN $1 AND $2)
  AND NOT EXISTS (
    SELECT FROM audit_entries e
    WHERE e.action = 'revokeCreditLot' AND e.target = l.id::text AND e.at = l.revoked_at
      AND (e.details->>'amount') IS NULL)
  AND NOT EXISTS (
    SELECT FROM credit_allocations a
    JOIN credit_transactions t ON t.user_id = a.user_id AND t.seq = a.seq AND t.type = 'GRANT'
    JOIN audit_entries e ON e.action = 'revokeBulkGrant' AND 'bulk:' || e.target = t.idempotency_key
    WHERE a.user_id = l.user_id AND a.lot_id = l.id AND e.at <= l.revoked_at + interval '5 minutes'
      AND a.user_id BETWEEN $1 AND $2 AND t.user_id BETWEEN $1 AND $2)`,
  },
  {
    number: '17',
    description: 'No history was cut or rewritten behind its checkpoint.',
    cheap: true,
    sql: `SELECT c.user_id, c.last_seq AS seq
FROM credit_checkpoints c
LEFT JOIN credit_accounts a ON a.user_id = c.user_id AND a.user_id BETWEEN $1 AND $2
LEFT JOIN LATERAL (
  SELECT t.hash FROM credit_transactions t WHERE t.user_id = c.user_id AND t.seq = c.last_seq LIMIT 1
) t ON true
WHERE c.user_id BETWEEN $1 AND $2
  AND (coalesce(a.last_seq, -1) < c.last_seq OR (c.last_seq > 0 AND t.hash IS DISTINCT FROM c.head_hash))`,
  },
];
