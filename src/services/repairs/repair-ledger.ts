import { verifyLedger } from '../reconciliation/verify.js';
import { repairAccounts, type Facts } from './repair-accounts.js';
import {
  REMAINING,
  type LeftLot,
  type RepairedLot,
  type RepairOptions,
  type Repairs,
} from './repair-locked.js';

/**
 * Checks all history, and repairs what may be repaired, part by part.
 * @param userId undefined for all users
 */
export async function repairLedger(
  app: Facts,
  userId: string | undefined,
  options: RepairOptions,
): Promise<Repairs> {
  const repaired: RepairedLot[] = [];
  const left: LeftLot[] = [];
  await verifyLedger(
    app,
    async (violations) => {
      const wrong = violations.filter(({ invariant }) => invariant === REMAINING);
      const userIds = wrong.flatMap((violation) => violation.userId ?? []);
      if (userIds.length === 0) return;
      const repairs = await repairAccounts(app, userIds, options);
      repaired.push(...repairs.repaired);
      left.push(...repairs.left);
    },
    { userId },
  );
  return { repaired, left };
}
