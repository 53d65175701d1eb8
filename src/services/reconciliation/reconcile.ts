import type { App } from '../../app.js';
import { newId } from '../../domain/ids.js';
import { dropCheckpoints } from '../checkpoints/checkpoints.sql.js';
import { isFullCheckDue } from '../checkpoints/full-check.js';
import { verifyChanged } from '../checkpoints/verify-changed.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { readTransactionIds } from './reconcile.sql.js';
import type { Report, Verification, Violation } from './parts.js';
import { AUDIT_INVARIANT } from './audit.sql.js';
import { LEDGER_INVARIANTS, verifyLedger } from './verify.js';

export interface LedgerCheck {
  /** The number of the invariant. */
  readonly invariant: string;
  readonly description: string;
  readonly violations: number;
  /** The first violations, each with the ids of its user, lot, transaction, narration or audit entry. */
  readonly sample: string[];
}

export interface LedgerHealth {
  readonly ok: boolean;
  readonly checkedAt: Date;
  /** The size of the whole ledger, even if only a part of its history was read. */
  readonly accounts: number;
  readonly transactions: number;
  /** The number of transactions that were read. */
  readonly transactionsRead: number;
  /** Whether all history was read, without checkpoints. */
  readonly isFull: boolean;
  readonly checks: LedgerCheck[];
}

type Facts = Pick<App, 'db' | 'log'>;

const LARGEST_SAMPLE = 10;
/** The bound of log lines for one invariant, because a ledger that is wrong everywhere must not fill the log. */
const MOST_LOGGED = 1_000;

/**
 * Checks every invariant, for one user or for all, and logs the violations with the ids of user, lot and transaction.
 * Reads all history, and neither uses nor writes checkpoints.
 */
export function checkLedger(
  app: Facts,
  options: { userId?: string | undefined; signal?: AbortSignal | undefined } = {},
): Promise<LedgerHealth> {
  // The audit log belongs to no user, so it is not checked for a single one.
  const rules = LEDGER_INVARIANTS.filter(
    ({ number }) => options.userId === undefined || number !== AUDIT_INVARIANT.number,
  );
  return collect(app, rules, true, (report) => verifyLedger(app, report, options));
}

/** Runs a check, logs its violations, and counts them by invariant. */
async function collect(
  app: Facts,
  rules: typeof LEDGER_INVARIANTS,
  isFull: boolean,
  verify: (report: Report) => Promise<Verification>,
): Promise<LedgerHealth> {
  const found = new Map<string, { violations: number; sample: string[] }>();
  const report = async (violations: readonly Violation[]): Promise<void> => {
    for (const violation of await withTransactionIds(app, violations)) {
      const { invariant } = violation;
      const sofar = found.get(invariant) ?? { violations: 0, sample: [] };
      if (sofar.violations < MOST_LOGGED)
        app.log.error({ event: 'invariant-violated', ...violation }, 'ledger invariant violated');
      if (sofar.sample.length < LARGEST_SAMPLE) sofar.sample.push(describe(violation));
      found.set(invariant, { ...sofar, violations: sofar.violations + 1 });
    }
  };
  const verified = await verify(report);
  return {
    ok: found.size === 0,
    checkedAt: await readLedgerClock(app.db),
    ...verified,
    isFull,
    checks: rules.map(({ number: invariant, description }) => ({
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
  const wanted = violations.flatMap(({ userId, seq }) =>
    seq === null || userId === null ? [] : [{ userId, seq }],
  );
  const rows = wanted.length === 0 ? [] : await readTransactionIds(app.db, wanted);
  const ids = new Map(rows.map(({ userId, seq, id }) => [`${userId} ${String(seq)}`, id]));
  return violations.map((violation) => ({
    ...violation,
    transactionId: ids.get(`${violation.userId ?? ''} ${String(violation.seq)}`) ?? null,
  }));
}

const describe = (violation: NamedViolation): string => {
  const { userId, lotId, seq, transactionId, audioId, auditId } = violation;
  return [
    ...(userId === null ? [] : [`user ${userId}`]),
    ...(lotId === null ? [] : [`lot ${lotId}`]),
    ...(seq === null ? [] : [`transaction ${String(seq)} ${transactionId ?? ''}`.trim()]),
    ...(audioId === null ? [] : [`audio ${audioId}`]),
    ...(auditId === undefined ? [] : [`audit entry ${auditId ?? 'at the end'}`]),
  ].join(', ');
};

/**
 * Checks the whole ledger, and stores the result and the checkpoints of sound accounts. It reads all history when a
 * full check is due, and otherwise the history after the checkpoints. Accounts with a violation lose their checkpoints,
 * so that the next check finds the violation again.
 * @param options.full whether to read all history; undefined to decide by the rule of `isFullCheckDue`
 * @returns the result, with the id under which it is stored
 */
export async function reconcileCredits(
  app: Facts,
  options: { full?: boolean; signal?: AbortSignal | undefined } = {},
): Promise<LedgerHealth & { readonly id: string }> {
  const id = newId();
  const isFull = options.full ?? (await isFullCheckDue(app));
  const walk = { signal: options.signal, keep: id };
  const wrong = new Set<string>();
  const health = await collect(app, LEDGER_INVARIANTS, isFull, async (report) => {
    const noting: Report = (violations) => {
      for (const { userId } of violations) if (userId !== null) wrong.add(userId);
      return report(violations);
    };
    const verified = await (isFull ? verifyLedger : verifyChanged)(app, noting, walk);
    await dropCheckpoints(app.db, [...wrong]);
    return verified;
  });
  const { ok: _ok, checks, ...counts } = health;
  await app.db.reconciliation.create({
    data: { id, ...counts, checks: checks.map((check) => ({ ...check })) },
  });
  return { id, ...health };
}

/** The result of the newest check of the whole ledger, by any process. Null when there is none. */
export async function lastReconciliation(app: Pick<App, 'db'>): Promise<LedgerHealth | null> {
  const row = await app.db.reconciliation.findFirst({ orderBy: { checkedAt: 'desc' } });
  if (row === null) return null;
  const checks = row.checks as unknown as LedgerCheck[];
  return {
    ok: checks.every(({ violations }) => violations === 0),
    checkedAt: row.checkedAt,
    accounts: row.accounts,
    transactions: Number(row.transactions),
    transactionsRead: Number(row.transactionsRead ?? row.transactions),
    isFull: row.isFull,
    checks,
  };
}
