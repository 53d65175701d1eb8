import type { CreditSource } from '../../gql/graphql.js';
import * as m from '../../paraglide/messages.js';
import { formatDay, formatNumber } from '../../ui/format.js';

interface Lot {
  readonly source: CreditSource;
  readonly remaining: number;
  readonly expiresAt?: string | null;
}

const SOURCES: Readonly<Record<CreditSource, () => string>> = {
  ADD_ON: m.story_source_add_on,
  EVENT: m.story_source_event,
  FREE: m.story_source_free,
  MONTHLY: m.story_source_monthly,
  REFERRAL: m.story_source_referral,
};

/** “4 of your 12 event points, which lapse on Saturday”. */
export function lotText(amount: number, { source, remaining, expiresAt }: Lot): string {
  const inputs = {
    count: remaining,
    amount: formatNumber(amount),
    remaining: formatNumber(remaining),
    source: SOURCES[source](),
  };
  if (expiresAt == null) return m.story_pays(inputs);
  return m.story_pays_lapsing({ ...inputs, day: formatDay(expiresAt) });
}
