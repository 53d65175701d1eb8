import type { App } from '../../app.js';
import { newId } from '../../domain/ids.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { countTransactions, readTransactionIds } from './reconcile.sql.js';
import type { Violation } from './parts.js';
import { LEDGER_INVARIANTS, verifyLedger } from './verify.js';

export interface LedgerCheck {
  /** Its number. */
  readonly invariant: string;
  readonly description: string;
  readonly violations: number;
  /** The first few, with the ids of the user, the lot, the movement and the narration. */
  readonly sample: string[];
}

export interface LedgerHealth {
  readonly ok: boolean;
  readonly checkedAt: Date;
  readonly accounts: number;
  readonly transactions: number;
  readonly checks: LedgerCheck[];
}

type Facts = Pick<App, 'db' | 'log'>;

const LARGEST_SAMPLE = 10;
/** Of each invariant; a ledger that is wrong everywhere must not fill the log. */
const MOST_LOGGED = 1_000;

/**
 * Checks every invariant, of one user or of all, and logs what is wrong with user, lot and transaction
 * ids.
 */
export async function checkLedger(
  app: Facts,
  options: { userId?: string | undefined; signal?: AbortSignal | undefined } = {},
): Promise<LedgerHealth> {
  const found = new Map<string, { violations: number; sample: string[] }>();
  const report = async (violations: readonly Violation[]): Promise<void> => {
    for (const violation of await withTransactionIds(app, violations)) {
      const { invariant } = violation;
      const sofar = found.get(invariant) ?? { violations: 0, sample: [] };
      if (sofar.violations < MOST_LOGGED) app.log.error(violation, 'ledger invariant violated');
      if (sofar.sample.length < LARGEST_SAMPLE) sofar.sample.push(describe(violation));
      found.set(invariant, { ...sofar, violations: sofar.violations + 1 });
    }
  };
  const verified = await verifyLedger(app, report, options);
  return {
    ok: found.size === 0,
    checkedAt: await readLedgerClock(app.db),
    ...verified,
    checks: LEDGER_INVARIANTS.map(({ number: invariant, description }) => ({
      invariant,
      description,
      ...(found.get(invariant) ?? { violations: 0, sample: [] }),
    })),
  };
}

type NamedViolation = Violation & { readonly transactionId: string | null };

async function withTransactionIds(
  app: Facts,
  violations: readonly Violation[],
): Promise<NamedViolation[]> {
  const wanted = violations.flatMap(({ userId, seq }) => (seq === null ? [] : [{ userId, seq }]));
  const rows = wanted.length === 0 ? [] : await readTransactionIds(app.db, wanted);
  const ids = new Map(rows.map(({ userId, seq, id }) => [`${userId} ${String(seq)}`, id]));
  return violations.map((violation) => ({
    ...violation,
    transactionId: ids.get(`${violation.userId} ${String(violation.seq)}`) ?? null,
  }));
}

const describe = ({ userId, lotId, seq, transactionId, audioId }: NamedViolation): string =>
  [
    `user ${userId}`,
    ...(lotId === null ? [] : [`lot ${lotId}`]),
    ...(seq === null ? [] : [`transaction ${String(seq)} ${transactionId ?? ''}`.trim()]),
    ...(audioId === null ? [] : [`audio ${audioId}`]),
  ].join(', ');

/** Checks the whole ledger and remembers what was found. */
export async function reconcileCredits(app: Facts, signal?: AbortSignal): Promise<LedgerHealth> {
  const health = await checkLedger(app, { signal });
  const { checkedAt, accounts, transactions, checks } = health;
  await app.db.reconciliation.create({
    data: {
      id: newId(),
      checkedAt,
      accounts,
      transactions,
      checks: checks.map((check) => ({ ...check })),
    },
  });
  return health;
}

/** Up to here a check is a matter of a second. */
const MOST_TRANSACTIONS_AT_ONCE = 50_000;

/**
 * How the ledger stands: checked now while it is small, and otherwise as of the last reconciliation,
 * which runs every night.
 */
export async function ledgerHealth(app: Facts): Promise<LedgerHealth> {
  const transactions = await countTransactions(app.db);
  const last = transactions > MOST_TRANSACTIONS_AT_ONCE ? await lastReconciliation(app) : null;
  return last ?? checkLedger(app);
}

/** What the newest check of the whole ledger found, by whatever process. */
export async function lastReconciliation(app: Pick<App, 'db'>): Promise<LedgerHealth | null> {
  const row = await app.db.reconciliation.findFirst({ orderBy: { checkedAt: 'desc' } });
  if (row === null) return null;
  const checks = row.checks as unknown as LedgerCheck[];
  return {
    ok: checks.every(({ violations }) => violations === 0),
    checkedAt: row.checkedAt,
    accounts: row.accounts,
    transactions: Number(row.transactions),
    checks,
  };
}
