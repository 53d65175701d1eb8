import { createHash } from 'node:crypto';
import type { TestDatabase } from './cluster.js';

export interface ChainRow {
  readonly user_id: string;
  readonly seq: number;
  readonly hash: Buffer;
  /** Null when it has no allocations. */
  readonly text: string | null;
  readonly amount: number;
  readonly balance_after: number;
}

/** What is left out of format 1. */
const SINCE_2 = (texts: string): string =>
  `CASE WHEN t.format = 1 THEN ARRAY[]::json[] ELSE ARRAY[${texts}] END`;

/** The text of the chain, made by Postgres: `to_char` in UTC and JSON without spaces. */
export const CHAIN = `
  SELECT t.user_id, t.seq, t.hash, t.amount, t.balance_after, '[' || array_to_string(
    ${SINCE_2('to_json(t.format::text)')}
    || ARRAY[to_json(t.user_id::text), to_json(t.seq::text)]
    || ${SINCE_2('to_json(t.id::text)')}
    || ARRAY[to_json(t.type::text), to_json(t.amount::text),
      to_json(t.balance_after::text), to_json(to_char(t.effective_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')),
      to_json(to_char(t.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')),
      to_json(coalesce(t.reason, '')), to_json(coalesce(t.idempotency_key, ''))]
    || ${SINCE_2("to_json(coalesce(encode(t.request_hash, 'hex'), ''))")}
    || ARRAY[to_json(coalesce(t.audio_id::text, '')), to_json(coalesce(t.story_id::text, '')),
      to_json(coalesce(t.debit_seq::text, '')), to_json(coalesce(t.actor_id::text, '')), (
        SELECT ('[' || string_agg('[' || to_json(a.lot_id::text) || ',' || to_json(a.amount::text) || ']', ',' ORDER BY a.ordinal) || ']')::json
        FROM credit_allocations a WHERE a.user_id = t.user_id AND a.seq = t.seq)]
    || ${SINCE_2("coalesce(t.lot_terms, '[]'), to_json(coalesce(t.revoked_lots, '{}'))")}, ',') || ']' AS text
  FROM credit_transactions t ORDER BY t.user_id, t.seq`;

interface LotRow {
  readonly user_id: string;
  readonly id: string;
  readonly source: string;
  readonly priority: number;
  readonly granted: number;
  readonly granted_at: Date;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
  readonly parent_lot_id: string | null;
  readonly period: string | null;
  readonly price_minor: string | null;
  readonly currency: string | null;
}

interface CoverRow {
  readonly user_id: string;
  readonly format: number;
  readonly lot_terms: string[][] | null;
  readonly revoked: string[] | null;
}

/** Lots that were revoked when neither a movement nor an administrator did so, and not after an order to revoke them. */
const UNTIMELY = `
  SELECT l.user_id, l.id FROM credit_lots l
  WHERE l.revoked_at IS NOT NULL AND l.revoked_at NOT IN (
    SELECT t.recorded_at FROM credit_transactions t JOIN credit_allocations a USING (user_id, seq)
    WHERE t.user_id = l.user_id AND a.lot_id = l.id AND t.type IN ('EXPIRY', 'REVOCATION')
      AND coalesce(t.idempotency_key, '') NOT LIKE 'revoke-part:%'
    UNION SELECT e.at FROM audit_entries e
    WHERE e.action = 'revokeCreditLot' AND e.target = l.id::text AND e.details->>'amount' IS NULL)
  AND NOT EXISTS (
    SELECT FROM audit_entries e JOIN credit_transactions t ON t.idempotency_key = 'bulk:' || e.target
    JOIN credit_allocations a ON a.user_id = t.user_id AND a.seq = t.seq
    WHERE e.action = 'revokeBulkGrant' AND e.at <= l.revoked_at + interval '5 minutes'
      AND t.user_id = l.user_id AND a.lot_id = l.id)`;

/** Invariant 15: the lots whose row differs from what transactions say of them, or of which none says anything. */
export async function wrongTerms(database: Pick<TestDatabase, 'sql'>): Promise<string[]> {
  const lots = await database.sql<LotRow>('SELECT * FROM credit_lots');
  // The account itself says what was revoked since its newest transaction.
  const rows = await database.sql<CoverRow>(`
    SELECT user_id, format, lot_terms, revoked_lots AS revoked, seq FROM credit_transactions
    UNION ALL SELECT user_id, 0, NULL, uncovered_revocations, 0 FROM credit_accounts
    ORDER BY user_id, seq`);
  const lastFormats = new Map(rows.map(({ user_id: userId, format }) => [userId, format]));
  const said = new Map<string, string[]>();
  for (const { user_id: userId, lot_terms: terms } of rows) {
    for (const one of terms ?? []) {
      const key = `${userId} ${one[0] ?? ''}`;
      said.set(key, [...(said.get(key) ?? []), JSON.stringify(one)]);
    }
  }
  const revoked = new Set(
    rows.flatMap(({ user_id: userId, revoked: ids }) => (ids ?? []).map((id) => `${userId} ${id}`)),
  );
  const wrong = lots
    .filter((lot) => {
      const key = `${lot.user_id} ${lot.id}`;
      const isSealed = (lastFormats.get(lot.user_id) ?? 0) > 1;
      const terms = said.get(key) ?? [];
      const isRight = terms.every((one) => one === termsOf(lot)) && (terms.length > 0 || !isSealed);
      const isKnown = revoked.delete(key) === (lot.revoked_at !== null);
      return !isRight || (!isKnown && (isSealed || lot.revoked_at === null));
    })
    .map(({ user_id: userId, id }) => `${userId} ${id}`);
  const untimely = await database.sql<{ user_id: string; id: string }>(UNTIMELY);
  return [...wrong, ...revoked, ...untimely.map(({ user_id: userId, id }) => `${userId} ${id}`)];
}

const termsOf = (lot: LotRow): string =>
  JSON.stringify([
    lot.id,
    lot.source,
    String(lot.priority),
    String(lot.granted),
    lot.granted_at.toISOString(),
    lot.expires_at?.toISOString() ?? '',
    lot.parent_lot_id ?? '',
    lot.period ?? '',
    ...(lot.price_minor === null && lot.currency === null
      ? []
      : [lot.price_minor ?? '', lot.currency ?? '']),
  ]);

interface AuditRow {
  readonly seq: number | null;
  readonly id: string;
  readonly at: Date;
  readonly actor_id: string | null;
  readonly action: string;
  readonly target: string | null;
  readonly reason: string | null;
  readonly details: string | null;
  readonly hash: Buffer | null;
}

/** The audit entries that do not follow from the one before, or are in no chain; `end` when the chain ends elsewhere. */
export async function brokenAudit(database: Pick<TestDatabase, 'sql'>): Promise<string[]> {
  const rows = await database.sql<AuditRow>(
    'SELECT seq, id, at, actor_id, action, target, reason, details::text, hash FROM audit_entries ORDER BY seq, id',
  );
  let [seq, head]: [number, Buffer] = [0, Buffer.alloc(32)];
  const wrong = rows.filter((row) => {
    const text = [row.seq, row.id, row.at.toISOString(), row.actor_id, row.action, row.target];
    const strings = [...text, row.reason, row.details].map((value) => String(value ?? ''));
    const hash = createHash('sha256').update(head).update(JSON.stringify(strings)).digest();
    const isRight = row.seq === seq + 1 && row.hash?.equals(hash) === true;
    [seq, head] = [row.seq ?? seq, row.hash ?? head];
    return !isRight;
  });
  const [end] = await database.sql<{ last_seq: number; head_hash: Buffer }>(
    'SELECT * FROM audit_chain',
  );
  const isEnd = end?.last_seq === seq && end.head_hash.equals(head);
  return [...wrong.map(({ id }) => id), ...(isEnd ? [] : ['end'])];
}
