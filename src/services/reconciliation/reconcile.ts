import { z } from 'zod';
import type { App } from '../app.js';
import { newId, rowKey } from '../../domain/ids.js';
import { dropCheckpoints } from '../checkpoints/checkpoints.sql.js';
import { repairAccounts, type Facts } from '../repairs/repair-accounts.js';
import { NIGHTLY, REMAINING, type Repairs } from '../repairs/repair-locked.js';
import { isDistributed } from '../../infra/citus/placement.js';
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

const storedChecks = z.array(
  z.object({
    invariant: z.string(),
    description: z.string(),
    violations: z.int(),
    sample: z.array(z.string()),
  }),
);

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
  /** The number of violations that were found, repaired ones included. `checks` has those that are left. */
  readonly violationsFound: number;
  /** The number of lots that were repaired. */
  readonly repairedLots: number;
}

/** Repairs the lots of these violations as far as they may be repaired. */
type Repair = (violations: readonly Violation[]) => Promise<Repairs>;

const repairNothing: Repair = () => Promise.resolve({ repaired: [], left: [] });

const SAMPLE_SIZE_MAX = 10;
/** The bound of log lines for one invariant, because a ledger that is wrong everywhere must not fill the log. */
const LOGGED_MAX = 1_000;

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
  return collect(app, rules, { isFull: true, repair: null }, (report) =>
    verifyLedger(app, report, options),
  );
}

/** Runs a check, repairs what it may, logs the violations that are left, and counts them by invariant. */
async function collect(
  app: Facts,
  rules: typeof LEDGER_INVARIANTS,
  { isFull, repair }: { readonly isFull: boolean; readonly repair: Repair | null },
  verify: (report: Report) => Promise<Verification>,
): Promise<LedgerHealth> {
  const found = new Map<string, { violations: number; sample: string[] }>();
  let violationsFound = 0;
  let repairedLots = 0;
  const report = async (all: readonly Violation[]): Promise<void> => {
    const { violations, repairs } = await repairWrong(all, repair ?? repairNothing);
    violationsFound += all.length;
    repairedLots += repairs.repaired.length;
    for (const violation of await withTransactionIds(app, violations)) {
      const { invariant } = violation;
      const sofar = found.get(invariant) ?? { violations: 0, sample: [] };
      if (sofar.violations < LOGGED_MAX)
        app.log.error({ event: 'invariant-violated', ...violation }, 'ledger invariant violated');
      if (sofar.sample.length < SAMPLE_SIZE_MAX) sofar.sample.push(describe(violation));
      found.set(invariant, { ...sofar, violations: sofar.violations + 1 });
    }
  };
  const verified = await verify(report);
  return {
    ok: found.size === 0,
    checkedAt: await readLedgerClock(app.db),
    ...verified,
    isFull,
    violationsFound,
    repairedLots,
    checks: rules.map(({ number: invariant, description }) => ({
      invariant,
      description,
      ...(found.get(invariant) ?? { violations: 0, sample: [] }),
    })),
  };
}

/** Repairs violations of the sums. @returns what was done, and the violations that are left */
async function repairWrong(
  all: readonly Violation[],
  repair: Repair,
): Promise<{ violations: readonly Violation[]; repairs: Repairs }> {
  const wrong = all.filter(({ invariant, lotId }) => invariant === REMAINING && lotId !== null);
  if (wrong.length === 0 || repair === repairNothing)
    return { violations: all, repairs: { repaired: [], left: [] } };
  const repairs = await repair(wrong);
  const left = new Set(repairs.left.map(({ userId, lotId }) => rowKey(userId, lotId)));
  const repaired = new Set(repairs.repaired.map(({ lotId }) => lotId));
  const isWrong = new Set(wrong);
  // An account may be left after some of its lots were repaired.
  const isLeft = ({ userId, lotId }: Violation): boolean =>
    left.has(rowKey(userId, lotId)) ||
    (left.has(rowKey(userId, null)) && !repaired.has(lotId ?? ''));
  // A lot that is neither repaired nor left was set right by another process.
  return { violations: all.filter((one) => !isWrong.has(one) || isLeft(one)), repairs };
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
  const ids = new Map(rows.map(({ userId, seq, id }) => [rowKey(userId, seq), id]));
  return violations.map((violation) => ({
    ...violation,
    transactionId: ids.get(rowKey(violation.userId, violation.seq)) ?? null,
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

const usersOf = (violations: readonly Violation[]): string[] =>
  violations.flatMap(({ userId }) => userId ?? []);

const repairerOf =
  (app: Facts): Repair =>
  (violations) =>
    repairAccounts(app, usersOf(violations), NIGHTLY);

export interface ReconcileOptions {
  /** Whether to read all history; undefined to decide by the rule of `isFullCheckDue`. */
  readonly full?: boolean;
  /** Whether `remaining` of lots is set right where the history is sound. */
  readonly repair?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Checks the whole ledger, and stores the result and the checkpoints of sound accounts. It reads all history when a
 * full check is due, and otherwise the history after the checkpoints. Accounts with a violation lose their checkpoints,
 * so that the next check finds the violation again.
 * @returns the result, with the id under which it is stored
 */
export async function reconcileCredits(
  app: Facts,
  options: ReconcileOptions = {},
): Promise<LedgerHealth & { readonly id: string }> {
  const id = newId();
  // A check from checkpoints looks many accounts up at once, in a way that a distributed database does not plan.
  const isFull = isDistributed(app.db) || (options.full ?? (await isFullCheckDue(app)));
  const walk = { signal: options.signal, keep: id };
  const repair = options.repair === true ? repairerOf(app) : null;
  const wrong = new Set<string>();
  const health = await collect(app, LEDGER_INVARIANTS, { isFull, repair }, async (report) => {
    const noting: Report = (violations) => {
      for (const { userId, invariant } of violations) {
        if (userId !== null) wrong.add(userId);
        if (invariant === REMAINING) app.metrics?.ledgerMismatches.inc({ source: NIGHTLY.source });
      }
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

export type ReconciliationSummary = Pick<
  LedgerHealth,
  'checkedAt' | 'violationsFound' | 'repairedLots'
>;

/** The result of the newest check of the whole ledger, by any process. Null when there is none. */
export async function lastReconciliation(app: Pick<App, 'db'>): Promise<LedgerHealth | null> {
  const row = await app.db.reconciliation.findFirst({ orderBy: { checkedAt: 'desc' } });
  if (row === null) return null;
  const checks: LedgerCheck[] = storedChecks.parse(row.checks);
  return {
    ok: checks.every(({ violations }) => violations === 0),
    checkedAt: row.checkedAt,
    accounts: row.accounts,
    transactions: Number(row.transactions),
    transactionsRead: Number(row.transactionsRead ?? row.transactions),
    isFull: row.isFull,
    checks,
    violationsFound:
      row.violationsFound ?? checks.reduce((sum, { violations }) => sum + violations, 0),
    repairedLots: row.repairedLots,
  };
}
