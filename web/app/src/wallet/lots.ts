import type { CreditSource } from '../gql/graphql.js';

/** Points that were granted together, as far as the wallet shows them. */
export interface Lot {
  readonly id: string;
  readonly source: CreditSource;
  readonly granted: number;
  readonly remaining: number;
  readonly grantedAt: string;
  readonly expiresAt?: string | null;
  readonly priority: number;
}

export interface Part {
  readonly source: CreditSource;
  readonly points: number;
}

/** In the order in which a narration would take them: the lower priority first, then what lapses first. */
export const inBurningOrder = (lots: readonly Lot[]): Lot[] =>
  [...lots].sort(
    (one, other) =>
      one.priority - other.priority ||
      (one.expiresAt ?? '9').localeCompare(other.expiresAt ?? '9') ||
      one.grantedAt.localeCompare(other.grantedAt),
  );

/** The points of each source, in the order in which the sources begin to burn. */
export function bySource(lots: readonly Lot[]): Part[] {
  const points = new Map<CreditSource, number>();
  for (const { source, remaining } of inBurningOrder(lots))
    if (remaining > 0) points.set(source, (points.get(source) ?? 0) + remaining);
  return [...points].map(([source, sum]) => ({ source, points: sum }));
}

export interface Timeline {
  /** This month and the eleven after it. */
  readonly months: readonly { readonly start: Date; readonly parts: readonly Part[] }[];
  readonly later: readonly Part[];
  readonly never: readonly Part[];
}

const MONTHS = 12;

/** When points lapse, by the reader's own calendar. */
export function timelineOf(lots: readonly Lot[], now: Date): Timeline {
  const dated = lots.filter(({ remaining }) => remaining > 0);
  const startOf = (month: number): Date => new Date(now.getFullYear(), now.getMonth() + month);
  const between = (from: number, to: number): Part[] =>
    bySource(
      dated.filter(({ expiresAt }) => {
        if (expiresAt == null) return false;
        const at = new Date(expiresAt);
        // The first instant of a month is the end of the month before.
        return at > startOf(from) && at <= startOf(to);
      }),
    );
  const months = Array.from({ length: MONTHS }, (_, month) => ({
    start: startOf(month),
    parts: between(month, month + 1),
  }));
  const later = dated.filter(
    ({ expiresAt }) => expiresAt != null && new Date(expiresAt) > startOf(MONTHS),
  );
  return {
    months,
    later: bySource(later),
    never: bySource(dated.filter(({ expiresAt }) => expiresAt == null)),
  };
}

/** How many of the stories the points pay for, cheapest first, and which these are. */
export function affordable<Story extends { readonly requiredCredits: number }>(
  stories: readonly Story[],
  points: number,
): Story[] {
  const found: Story[] = [];
  let left = points;
  for (const story of [...stories].sort((a, b) => a.requiredCredits - b.requiredCredits)) {
    if (story.requiredCredits > left) break;
    left -= story.requiredCredits;
    found.push(story);
  }
  return found;
}
