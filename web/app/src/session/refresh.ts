import { failureOf, type Failure } from '../api/errors.js';
import type { RefreshMutation } from '../gql/graphql.js';
import { end, isLeaving } from './leave.js';
import { plain, Refresh } from './requests.js';
import { accessToken, grant, session } from './state.js';
import { inTurn } from './turn.js';

let refreshing: Promise<Failure | null> | null = null;

/** Gets a new token by the cookie, once for all tabs. Returns why there is none. */
export function refresh(refused: string | null = null): Promise<Failure | null> {
  refreshing ??= inTurn(() => refreshNow(refused)).finally(() => {
    refreshing = null;
  });
  return refreshing;
}

async function refreshNow(refused: string | null): Promise<Failure | null> {
  // Another tab has done it while this one waited.
  const present = accessToken();
  if (present !== null && present !== refused) return null;
  if (session.get().person === null || isLeaving()) return { code: 'UNAUTHENTICATED', details: {} };
  const { data, error } = await plain.mutation(Refresh, {}).toPromise();
  // A refusal has no data, which is null in some answers.
  const granted = (data as Partial<RefreshMutation> | null | undefined)?.refreshSession;
  if (granted !== undefined) {
    grant(granted);
    return null;
  }
  const failure = failureOf(error) ?? { code: 'INTERNAL', details: {} };
  if (ENDED.has(failure.code)) end();
  return failure;
}

const ENDED: ReadonlySet<string> = new Set([
  'REFRESH_TOKEN_INVALID',
  'REFRESH_TOKEN_REUSED',
  'UNAUTHENTICATED',
  'ACCOUNT_SUSPENDED',
]);
