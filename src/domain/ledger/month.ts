import { badUserInput } from '../errors.js';

/**
 * A calendar month in UTC. A period of the books begins after the first instant of the month and ends with the first
 * instant of the next one, because points that lapse at that instant belong to the month that ends.
 */
export interface Month {
  /** yyyy-mm. */
  readonly period: string;
  /** Its first instant. */
  readonly startsAt: Date;
  /** The first instant of the next month. */
  readonly endsAt: Date;
}

/** The calendar month in UTC that contains an instant. */
export const monthOf = (at: Date): Month => ({
  period: at.toISOString().slice(0, 7),
  startsAt: new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth())),
  endsAt: new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1)),
});

/** The bounds of a month, because no ledger is older and no lot lapses later. */
const FIRST_PERIOD = '1970-01';
const LAST_PERIOD = '2199-12';

/** @throws BAD_USER_INPUT for anything but a month as 2026-10, from 1970-01 to 2199-12 */
export function parseMonth(period: string): Month {
  const at = new Date(`${period}-01T00:00:00.000Z`);
  const isMonth =
    period.length === 7 &&
    !Number.isNaN(at.getTime()) &&
    period >= FIRST_PERIOD &&
    period <= LAST_PERIOD;
  const month = isMonth ? monthOf(at) : null;
  if (month?.period !== period) throw badUserInput('month', 'must be a month, for example 2026-10');
  return month;
}

/**
 * The end of a month, or now for the running month.
 * @throws BAD_USER_INPUT for a month that has not begun
 */
export function endSoFar({ startsAt, endsAt }: Month, now: Date): Date {
  if (startsAt >= now) throw badUserInput('month', 'has not begun yet');
  return endsAt < now ? endsAt : now;
}
