import { Prisma, type Tx } from '../../infra/db.js';
import { startsAsRows, type HistoryStart } from '../reconciliation/chain.sql.js';
import { LOT_TERMS } from '../reconciliation/invariants.sql.js';
import { lotsText, stateHash, type Moved } from './checkpoints.sql.js';

export interface OpeningRow {
  readonly userId: string;
  /** Whether the history has the checkpoint's hash, its lots are unchanged, and newer lots are not revoked. */
  readonly isKept: boolean;
  /** `[lot id, points]` of all lots at the checkpoint. */
  readonly holdings: readonly [string, number][];
  readonly lapsed: readonly string[];
  /** The sums of the checkpoint. */
  readonly moved: readonly Moved[];
  /** The sums of the transactions after it. */
  readonly movedSince: readonly Moved[];
}

/**
 * The states of accounts at their checkpoints, computed from their present state and what has moved since. The points
 * of a lot then are its `remaining` minus that. A lot that was granted since did not exist then, and must hold the sum
 * of its transactions. No locks. Indexes: credit_checkpoints_pkey, credit_accounts_pkey, credit_lots_pkey,
 * credit_allocations_pkey, credit_transactions_pkey; credit_transactions_by_type for the expiries.
 */
export const readOpenings = (
  tx: Tx,
  starts: readonly HistoryStart[],
): Promise<OpeningRow[]> => tx.$queryRaw<OpeningRow[]>`
  SELECT a.user_id AS "userId", c.moved,
    c.last_seq = w.after_seq AND c.state_hash = ${stateHash(Prisma.sql`l.text`)} AND l.new_fit
      AND (w.after_seq = 0 OR EXISTS (
        SELECT FROM credit_transactions t
        WHERE t.user_id = a.user_id AND t.seq = w.after_seq AND t.hash = c.head_hash AND t.format > 1
      )) AS "isKept",
    coalesce(l.holdings, '[]') AS holdings,
    ARRAY(
      SELECT p.lot_id FROM credit_transactions t
      JOIN credit_allocations p ON p.user_id = t.user_id AND p.seq = t.seq
      WHERE t.user_id = a.user_id AND t.type = 'EXPIRY' AND t.seq <= w.after_seq
    )::text[] AS lapsed,
    coalesce(s.moved, '[]') AS "movedSince"
  FROM ${startsAsRows(starts)}
  JOIN credit_accounts a ON a.user_id = w.user_id
  JOIN credit_checkpoints c ON c.user_id = w.user_id
  CROSS JOIN LATERAL (
    SELECT ${lotsText(Prisma.sql`l.held`)} FILTER (WHERE NOT l.is_new) AS text,
      json_agg(json_build_array(l.id, l.held)) FILTER (WHERE NOT l.is_new) AS holdings,
      coalesce(bool_and(l.held = 0 AND l.revoked_at IS NULL) FILTER (WHERE l.is_new), true) AS new_fit
    FROM (
      SELECT l.*, l.remaining - coalesce(m.points, 0) AS held, coalesce(m.is_new, false) AS is_new
      FROM credit_lots l
      LEFT JOIN (
        SELECT p.lot_id, sum(p.amount) AS points, bool_or(t.type = 'GRANT') AS is_new
        FROM credit_allocations p JOIN credit_transactions t ON t.user_id = p.user_id AND t.seq = p.seq
        WHERE p.user_id = a.user_id AND p.seq > w.after_seq GROUP BY p.lot_id
      ) m ON m.lot_id = l.id
      WHERE l.user_id = a.user_id
    ) l
  ) l
  CROSS JOIN LATERAL (
    SELECT json_agg(json_build_array(source, type, points)) AS moved FROM (
      SELECT l.source, t.type, sum(p.amount) AS points
      FROM credit_allocations p
      JOIN credit_transactions t ON t.user_id = p.user_id AND t.seq = p.seq
      JOIN credit_lots l ON l.user_id = p.user_id AND l.id = p.lot_id
      WHERE p.user_id = a.user_id AND p.seq > w.after_seq GROUP BY l.source, t.type
    ) sums
  ) s`;

/**
 * Accounts whose transactions since their checkpoints are wrong, or are of a kind that only the whole history can
 * prove: a revocation, a second debit for a narration, a transaction of format 1. Covers the invariants 3, 5, 6, 14 and
 * 15 as far as they concern these transactions. The chain (9) and the replay (10) cover the rest. No locks. Indexes:
 * credit_transactions_pkey, credit_allocations_pkey, credit_lots_pkey, credit_transactions_of_audio.
 */
export const readUnprovable = (
  tx: Tx,
  starts: readonly HistoryStart[],
): Promise<{ userId: string }[]> => tx.$queryRaw<{ userId: string }[]>`
  WITH moves AS (
    SELECT w.user_id, t.*, lag(t.recorded_at) OVER (PARTITION BY w.user_id ORDER BY t.seq) AS before, w.after_seq
    FROM ${startsAsRows(starts)} CROSS JOIN LATERAL (
      SELECT seq, type, format, amount, audio_id, effective_at, recorded_at, revoked_lots, lot_terms
      FROM credit_transactions WHERE user_id = w.user_id AND seq >= w.after_seq OFFSET 0
    ) t
  ), parts AS (
    SELECT w.user_id, p.seq, sum(p.amount) AS moved
    FROM ${startsAsRows(starts)} CROSS JOIN LATERAL (
      SELECT seq, amount FROM credit_allocations WHERE user_id = w.user_id AND seq > w.after_seq OFFSET 0
    ) p GROUP BY w.user_id, p.seq
  ), covered AS (
    SELECT m.user_id, e.terms->>0 AS lot_id, e.terms::text AS terms
    FROM moves m CROSS JOIN LATERAL json_array_elements(m.lot_terms) AS e(terms)
    WHERE m.seq > m.after_seq
  )
  SELECT m.user_id AS "userId"
  FROM moves m CROSS JOIN (SELECT ledger_now() AS now OFFSET 0) clock
  LEFT JOIN parts p ON p.user_id = m.user_id AND p.seq = m.seq
  WHERE m.seq > m.after_seq AND (
    m.amount IS DISTINCT FROM p.moved OR (m.type IN ('GRANT', 'REFUND')) <> (m.amount > 0)
    OR m.recorded_at < m.before OR m.recorded_at > clock.now + interval '5 minutes'
    OR m.format < 2 OR m.revoked_lots IS NOT NULL
    OR (m.type = 'GRANT' AND NOT EXISTS (
      SELECT FROM json_array_elements(m.lot_terms) AS e(terms)
      JOIN credit_allocations p ON p.lot_id::text = e.terms->>0
      WHERE p.user_id = m.user_id AND p.seq = m.seq))
    OR (m.type = 'DEBIT' AND (m.effective_at <> m.recorded_at OR EXISTS (
      SELECT FROM credit_transactions d WHERE d.user_id = m.user_id AND d.audio_id = m.audio_id
        AND d.type = 'DEBIT' AND d.seq <> m.seq))))
  UNION
  SELECT c.user_id FROM covered c LEFT JOIN LATERAL (
    SELECT ${Prisma.raw(LOT_TERMS)} AS terms FROM credit_lots l
    WHERE l.user_id = c.user_id AND l.id::text = c.lot_id LIMIT 1
  ) l ON true
  WHERE l.terms IS DISTINCT FROM c.terms`;
