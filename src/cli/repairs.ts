import { counted } from './counted.js';
import type { LeftLot, LeftReason, Repairs } from '../services/repairs/repair-locked.js';

/** Why a lot is left, as the rest of a sentence. */
const REASONS: Readonly<Record<LeftReason, string>> = {
  history:
    "because the account's history violates an invariant, so that the allocations cannot be trusted: docs/ledger.md says what to do",
  impossible: 'because its allocations add up to less than 0, or to more than was granted',
  'lapsed-or-revoked':
    'because it has lapsed or was revoked: `npm run ledger -- verify --repair` repairs it too',
  closed: 'because its account is closed: `npm run ledger -- verify --repair` repairs it too',
  locked: 'because another transaction holds the account: run the command again',
  moving: 'because its long history moved while it was read: run the command again',
  off: 'because nothing is written',
};

function leftLine(left: LeftLot): string {
  const { userId, lotId, reason, invariant, before, after } = left;
  const lot = lotId === null ? `The lots of user ${userId}` : `The lot ${lotId} of user ${userId}`;
  const sums =
    before === undefined || after === undefined
      ? ''
      : ` (${String(before)} instead of ${String(after)})`;
  if (reason === 'off') return `${lot}${sums} would be repaired.`;
  const violated = invariant === undefined ? '' : ` (invariant ${invariant})`;
  const verb = lotId === null ? 'are' : 'is';
  return `${lot}${sums} ${verb} not repaired, ${REASONS[reason]}${violated}.`;
}

/** The first part of a sentence about repaired lots. */
export const lotsWereSet = (count: number): string =>
  counted(
    count,
    'lot was set to what its allocations say',
    'lots were set to what their allocations say',
  );

/** What a repair did, as lines for a terminal. */
export const repairLines = ({ repaired, left }: Repairs): readonly string[] => [
  `${lotsWereSet(repaired.length)}.`,
  ...left.map(leftLine),
];
