import type { TestDatabase } from './cluster.js';
import { ModelAccount, type Grace, type ModelLot, type Movement } from './model.js';

interface StoredEntry {
  readonly user_id: string;
  readonly seq: number;
  readonly type: string;
  readonly amount: number;
  readonly debit_seq: number | null;
  readonly is_part: boolean;
  readonly effective_at: Date;
  readonly recorded_at: Date;
  /** Up to when the books were closed by then. */
  readonly closed_until: Date | null;
  readonly parts: [string, number][];
}

type StoredLot = Omit<
  ModelLot,
  'remaining' | 'swept' | 'revoked' | 'forfeited' | 'grantedAt' | 'expiresAt'
> & {
  readonly user_id: string;
  readonly granted_at: Date;
  readonly expires_at: Date | null;
  readonly revoked_at: Date | null;
};

/** Movements of one account that have still to come, because something before them demands it. */
interface Expected {
  movements: Movement[];
  grace: Grace[];
}

const sameParts = (a: readonly [string, number][], b: readonly [string, number][]): boolean =>
  JSON.stringify(a) === JSON.stringify(b);

/** Invariant 10: every stored movement must be what the model comes to. @returns `user seq` of those that are not */
export async function wrongReplays(database: Pick<TestDatabase, 'sql'>): Promise<string[]> {
  const lots = new Map(
    (await database.sql<StoredLot>('SELECT *, parent_lot_id AS parent FROM credit_lots')).map(
      (lot) => [lot.id, lot],
    ),
  );
  const entries = await database.sql<StoredEntry>(`
    SELECT t.user_id, t.seq, t.type, t.amount, t.debit_seq, t.effective_at, t.recorded_at,
      coalesce(t.idempotency_key, '') LIKE 'revoke-part:%' AS is_part,
      (SELECT max(m.ends_at) FROM closed_months m WHERE m.closed_at <= t.recorded_at) AS closed_until,
      coalesce((SELECT json_agg(json_build_array(a.lot_id, a.amount) ORDER BY a.ordinal)
       FROM credit_allocations a WHERE a.user_id = t.user_id AND a.seq = t.seq), '[]') AS parts
    FROM credit_transactions t ORDER BY t.user_id, t.seq`);
  const accounts = new Map<string, { model: ModelAccount; expected: Expected }>();
  const wrong: string[] = [];
  for (const entry of entries) {
    const account = accounts.get(entry.user_id) ?? {
      model: new ModelAccount(),
      expected: { movements: [], grace: [] },
    };
    accounts.set(entry.user_id, account);
    markEmptyRevocations(account.model, lots, entry.recorded_at.getTime());
    if (!isExpected(account.model, account.expected, entry, lots))
      wrong.push(`${entry.user_id} ${String(entry.seq)}`);
  }
  return wrong;
}

/** A lot that was revoked when it held nothing left no movement, but it is dead all the same. */
function markEmptyRevocations(
  model: ModelAccount,
  lots: ReadonlyMap<string, StoredLot>,
  at: number,
): void {
  for (const lot of model.lots.values()) {
    const revokedAt = lots.get(lot.id)?.revoked_at?.getTime();
    if (lot.remaining > 0 || revokedAt === undefined || revokedAt >= at) continue;
    lot.revoked = true;
    lot.forfeited = lot.expiresAt === null || revokedAt < lot.expiresAt;
  }
}

function isExpected(
  model: ModelAccount,
  expected: Expected,
  entry: StoredEntry,
  lots: ReadonlyMap<string, StoredLot>,
): boolean {
  const at = entry.recorded_at.getTime();
  // In a month that is closed nothing takes effect any more: then it does when it is recorded.
  const openFrom = (effectiveAt: number): number =>
    effectiveAt <= (entry.closed_until?.getTime() ?? -Infinity) ? at : effectiveAt;
  const matches = (movement: Movement | null | undefined): boolean =>
    movement?.type === entry.type &&
    openFrom(movement.effectiveAt) === entry.effective_at.getTime() &&
    sameParts(movement.parts, entry.parts);
  if (expected.movements.length > 0) return matches(expected.movements.shift());
  const [[lotId, amount] = ['', 0]] = entry.parts;
  if (entry.type === 'GRANT') {
    const stored = lots.get(lotId);
    if (stored === undefined || model.lots.has(lotId)) return false;
    const promised = stored.parent === null ? null : expected.grace.shift();
    const kept =
      promised === null ||
      (promised?.parent === stored.parent &&
        promised.amount === amount &&
        promised.expiresAt === stored.expires_at?.getTime());
    const { id, source, priority, granted, parent } = stored;
    const [grantedAt, expiresAt] = [at, stored.expires_at?.getTime() ?? null];
    const lot = { id, source, priority, granted, parent, grantedAt, expiresAt, price: null };
    return kept && matches(model.grant(lot));
  }
  if (entry.type === 'DEBIT') return matches(model.debit(entry.seq, -entry.amount, at));
  if (entry.type === 'REFUND') {
    const { movements, grace } = model.refund(entry.debit_seq ?? 0, at);
    expected.movements = movements.slice(1);
    expected.grace = grace;
    return matches(movements[0]);
  }
  if (entry.type === 'EXPIRY') return matches(model.expire(lotId, at));
  if (entry.is_part) return matches(model.revokePart(lotId, -amount, at));
  return matches(model.revoke(lotId, at)[0]);
}
