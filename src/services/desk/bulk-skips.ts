import { z } from 'zod';

/** A row of a bulk grant that was skipped. Rows that an earlier release stored have no code. */
export const bulkSkip = z.object({
  /** The index of the row. */
  row: z.int(),
  /** Shown to administrators. */
  reason: z.string(),
  /** Why, for programs. */
  code: z.enum(['UNKNOWN_USER', 'REPEATED_USER', 'SUSPENDED', 'INVALID_AMOUNT']).optional(),
  /** For REPEATED_USER: the first row with the same user. */
  otherRow: z.int().optional(),
});
export type BulkSkip = Readonly<z.infer<typeof bulkSkip>>;
export type BulkSkipCode = NonNullable<BulkSkip['code']>;

const REPEATED = 'The same user as in row ';

/**
 * The skip of a row whose user stands in an earlier row, because one order grants to a user once.
 * @param row index of the row that is skipped
 * @param otherRow index of the first row with the user
 */
export const repeatedUser = (row: number, otherRow: number): BulkSkip => ({
  row,
  reason: `${REPEATED}${String(otherRow)}.`,
  code: 'REPEATED_USER',
  otherRow,
});

/** The skip of a row whose user does not exist. */
export const unknownUser = (row: number, reason = 'There is no such user.'): BulkSkip => ({
  row,
  reason,
  code: 'UNKNOWN_USER',
});

/** The code of a row. For a row without one, the reason tells it, because earlier releases had these two reasons. */
export const skipCode = ({ code, reason }: BulkSkip): BulkSkipCode =>
  code ?? (reason.startsWith(REPEATED) ? 'REPEATED_USER' : 'UNKNOWN_USER');

/** The first row with the same user. Null unless REPEATED_USER. */
export function skippedForRow({ otherRow, reason }: BulkSkip): number | null {
  if (otherRow !== undefined) return otherRow;
  return reason.startsWith(REPEATED) ? Number(reason.slice(REPEATED.length, -1)) : null;
}
