import type { Config } from '../../config.js';
import { DomainError } from '../../domain/errors.js';
import { asUserId } from '../../domain/ids.js';
import { hashRequest, keys } from '../../domain/ledger/idempotency.js';
import { monthOf, type Month } from '../../domain/ledger/month.js';
import type { Db, Prisma, Reader } from '../../infra/db.js';
import { readDueAllowances, readWithDueAllowances, type DueAllowance } from './allowances.sql.js';
import type { GrantOutcome, GrantRequest } from './grants.js';
import type { Command } from './commit/policy.js';

/**
 * The grant of a month's allowance. The monthly job, a read and a debit make the same one. The first of them grants it,
 * and the others get the same result, because its key is that of the month.
 */
export const monthlyGrant = (
  { priorityOf }: Pick<Config['credits'], 'priorityOf'>,
  { period, endsAt }: Month,
  { userId, amount }: Pick<DueAllowance, 'userId' | 'amount'>,
): GrantRequest => ({
  userId: asUserId(userId),
  terms: { source: 'MONTHLY', priority: priorityOf.MONTHLY, amount, expiresAt: endsAt, period },
  reason: `Allowance for ${period}`,
  idempotencyKey: keys.monthly(period),
  // The amount is not part of the request, because there is one grant a month even if the amount has changed.
  requestHash: hashRequest([period]),
  actorId: null,
  action: null,
});

/** Reads users' points, and grants allowances that are due. */
export interface PointsReader {
  /**
   * Runs a read of these users' points. An allowance that is due is granted first, and the read sees it. A grant that
   * fails, or waits for a lock, does not fail or delay the read. The next read tries again.
   */
  read<Row extends object>(userIds: readonly string[], query: Prisma.Sql): Promise<Row[]>;
  /**
   * Grants what is due before points are spent.
   * @throws BUSY, or the error of the grant, because a debit without the allowance would take points that the allowance
   * spares
   */
  grantDue(userId: string): Promise<void>;
}

/** Whether a rule refuses the grant, because the account was closed or the month has ended. */
const isRuled = (refusal: unknown): boolean =>
  refusal instanceof DomainError && ['NOT_FOUND', 'BAD_USER_INPUT'].includes(refusal.code);

/** The longest that a read waits for a grant. A grant takes a few milliseconds unless the account is locked. */
const GRANT_WAIT_MS = 1_000;

/** The reader of processes that may grant allowances which are due. */
export function grantingReader(
  db: Db,
  credits: Pick<Config['credits'], 'priorityOf' | 'monthly'>,
  allow: Command<GrantRequest, GrantOutcome>,
): PointsReader {
  const amountDefault = credits.monthly;
  /** Starts all grants at once, so that they are settled in one transaction. */
  const grantAll = (due: readonly DueAllowance[]): Promise<PromiseSettledResult<unknown>[]> =>
    Promise.allSettled(
      due.map((one) => allow(monthlyGrant(credits, monthOf(new Date(one.nowMs)), one))),
    );
  return {
    async read<Row extends object>(userIds: readonly string[], query: Prisma.Sql): Promise<Row[]> {
      const wanted = { userIds, amountDefault, query };
      const { rows, due } = await readWithDueAllowances(db, wanted);
      if (due.length === 0) return rows as Row[];
      await within(GRANT_WAIT_MS, grantAll(due));
      return db.$queryRaw<Row[]>(query);
    },
    async grantDue(userId) {
      const due = await readDueAllowances(db, { userIds: [userId], amountDefault });
      for (const grant of await grantAll(due)) {
        if (grant.status === 'rejected' && !isRuled(grant.reason)) throw grant.reason;
      }
    },
  };
}

/** The reader of the operator's command line. It grants nothing, because reading there must not change the ledger. */
export const plainReader = (db: Reader): PointsReader => ({
  read: (_userIds, query) => db.$queryRaw(query),
  grantDue: () => Promise.resolve(),
});

/** Waits for `work`, but not longer than `timeoutMs`. The work is not cancelled. */
async function within(timeoutMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([work, timeout]);
  clearTimeout(timer);
}
