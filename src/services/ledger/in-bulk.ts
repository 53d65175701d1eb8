import type { App } from '../../app.js';
import { DomainError } from '../../domain/errors.js';
import {
  LOCKED,
  settleBatch,
  type Observer,
  type Settle,
  type Settlement,
} from './group-commit.js';
import { observeAll } from './observed.js';

/**
 * Settles the requests of a background task without waiting for locks: in one transaction, or with `lanes` in several
 * concurrent ones, so that Postgres writes one while the next is decided. Requests whose rows another transaction holds
 * are LOCKED. With `patient`, each of them is then settled by itself and waits, until one is BUSY; the rest stay
 * LOCKED. A request that cannot be settled gets its error, and does not affect the others.
 * @throws BUSY when the database cannot be reached
 */
export async function settleInBulk<Request extends { readonly userId: string }, Result>(
  app: App,
  settle: Settle<Request, Result>,
  observer: Observer<Request>,
  requests: readonly Request[],
  options: { patient: boolean; lanes?: number },
): Promise<readonly Settlement<Result>[]> {
  if (requests.length === 0) return [];
  const startedAt = performance.now();
  const onSplit = (error: unknown): void => {
    app.log.warn(
      { event: 'ledger-batch-split', err: error, requests: requests.length },
      'a batch is split',
    );
  };
  const together = await settleInLanes(requests, options.lanes ?? 1, (some) =>
    settleBatch(app.db, settle, some, { wait: false, onSplit }),
  );
  const unreachable = together.find(isBusy);
  const settlements: Settlement<Result>[] = [];
  let patient = options.patient && unreachable === undefined;
  for (const [index, request] of requests.entries()) {
    let settlement = together[index] ?? LOCKED;
    if (settlement === LOCKED && patient)
      [settlement = LOCKED] = await settleBatch(app.db, settle, [request], { wait: true });
    // After the first BUSY it waits for no other, because the task would take too long if many rows are held.
    if (isBusy(settlement)) patient = false;
    settlements.push(settlement);
  }
  // Requests that were committed before the connection was lost are reported. The caller tries the rest again.
  const told = unreachable === undefined ? settlements : settlements.map(lockedIfBusy);
  observeAll(observer, requests, told, performance.now() - startedAt);
  if (unreachable !== undefined) throw unreachable;
  return settlements;
}

/**
 * Divides the requests by account, so that lanes never wait for each other's locks. @returns the settlements, in the
 * order of the requests
 */
async function settleInLanes<Request extends { readonly userId: string }, Result>(
  requests: readonly Request[],
  count: number,
  settleSome: (some: readonly Request[]) => Promise<readonly Settlement<Result>[]>,
): Promise<readonly Settlement<Result>[]> {
  const lanes = new Map<number, number[]>();
  requests.forEach(({ userId }, index) => {
    const lane = userId.charCodeAt(userId.length - 1) % count;
    const indexes = lanes.get(lane);
    if (indexes === undefined) lanes.set(lane, [index]);
    else indexes.push(index);
  });
  const settled = new Map<number, Settlement<Result>>();
  await Promise.all(
    [...lanes.values()].map(async (indexes) => {
      const some = indexes.flatMap((index) => requests[index] ?? []);
      (await settleSome(some)).forEach((one, place) => settled.set(indexes[place] ?? -1, one));
    }),
  );
  return requests.map((_, index) => settled.get(index) ?? LOCKED);
}

const isBusy = <Result>(settlement: Settlement<Result>): settlement is DomainError =>
  settlement instanceof DomainError && settlement.code === 'BUSY';
const lockedIfBusy = <Result>(settlement: Settlement<Result>): Settlement<Result> =>
  isBusy(settlement) ? LOCKED : settlement;

/** The number of requests that moved points. */
export const countMoved = (settlements: readonly Settlement<unknown>[]): number =>
  settlements.filter(
    (settlement) =>
      typeof settlement === 'object' &&
      !(settlement instanceof DomainError) &&
      settlement.entries.length > 0,
  ).length;
