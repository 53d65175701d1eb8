/** Why a row of a bulk grant was skipped, for programs. */
export type BulkSkipCode = 'UNKNOWN_USER' | 'REPEATED_USER' | 'SUSPENDED' | 'INVALID_AMOUNT';

/** A row that was skipped. Rows that an earlier release stored have no code. */
export interface BulkSkip {
  /** The index of the row. */
  readonly row: number;
  /** Shown to administrators. */
  readonly reason: string;
  readonly code?: BulkSkipCode | undefined;
  /** For REPEATED_USER: the first row with the same user. */
  readonly otherRow?: number | undefined;
}

const REPEATED = 'The same user as in row ';

export const repeatedUser = (row: number, otherRow: number): BulkSkip => ({
  row,
  reason: `${REPEATED}${String(otherRow)}.`,
  code: 'REPEATED_USER',
  otherRow,
});

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
