import pMap from 'p-map';
import { DomainError } from '../../../domain/errors.js';
import type { Db } from '../../../infra/db.js';
import type { Logger } from '../../../infra/log.js';
import { observeAll, type Observer } from './observer.js';
import { HELD, settleBatch, type Settle, type Settlement } from './settlement.js';

interface BulkPorts {
  readonly db: Db;
  readonly log: Logger;
  /** Set where a transaction must move the points of one account only. */
  readonly oneAccount?: { readonly atOnce: number } | undefined;
}

/**
 * Settles the requests of a background task without waiting for locks: in one transaction, or in
 * one for each account with `oneAccount`. Requests whose rows another transaction holds are HELD. With `patient`, each of them is then settled by itself and waits, until one
 * is BUSY; the rest stay HELD. A request that cannot be settled gets its error, and does not affect the others.
 * @throws BUSY when the database cannot be reached
 */
export async function settleInBulk<Request extends { readonly userId: string }, Result>(
  { db, log, oneAccount }: BulkPorts,
  settle: Settle<Request, Result>,
  observer: Observer<Request>,
  requests: readonly Request[],
  options: { patient: boolean },
): Promise<readonly Settlement<Result>[]> {
  if (requests.length === 0) return [];
  const startedAt = performance.now();
  const onSplit = (error: unknown): void => {
    log.warn(
      { event: 'ledger-batch-split', err: error, requests: requests.length },
      'a batch is split',
    );
  };
  const settleAll = (some: readonly Request[]): Promise<readonly Settlement<Result>[]> =>
    settleBatch(db, settle, some, { wait: false, onSplit });
  const together =
    oneAccount === undefined
      ? await settleAll(requests)
      : await settleEachAccount(settleAll, requests, oneAccount.atOnce);
  const unreachable = together.find(isBusy);
  const settlements: Settlement<Result>[] = [];
  let patient = options.patient && unreachable === undefined;
  for (const [index, request] of requests.entries()) {
    let settlement = together[index] ?? HELD;
    if (settlement === HELD && patient)
      [settlement = HELD] = await settleBatch(db, settle, [request], { wait: true });
    // After the first BUSY it waits for no other, because the task would take too long if many rows are held.
    if (isBusy(settlement)) patient = false;
    settlements.push(settlement);
  }
  // Requests that were committed before the connection was lost are reported. The caller tries the rest again.
  const told = unreachable === undefined ? settlements : settlements.map(heldIfBusy);
  observeAll(observer, requests, told, performance.now() - startedAt);
  if (unreachable !== undefined) throw unreachable;
  return settlements;
}

/** @returns the settlements in the order of the requests */
async function settleEachAccount<Request extends { readonly userId: string }, Result>(
  settleAll: (requests: readonly Request[]) => Promise<readonly Settlement<Result>[]>,
  requests: readonly Request[],
  atOnce: number,
): Promise<readonly Settlement<Result>[]> {
  const settled = new Map<Request, Settlement<Result>>();
  const accounts = new Map<string, Request[]>();
  for (const request of requests)
    accounts.set(request.userId, [...(accounts.get(request.userId) ?? []), request]);
  await pMap(
    accounts.values(),
    async (ofOne) => {
      const settlements = await settleAll(ofOne);
      ofOne.forEach((request, index) => settled.set(request, settlements[index] ?? HELD));
    },
    { concurrency: atOnce },
  );
  return requests.map((request) => settled.get(request) ?? HELD);
}

const isBusy = <Result>(settlement: Settlement<Result>): settlement is DomainError =>
  settlement instanceof DomainError && settlement.code === 'BUSY';
const heldIfBusy = <Result>(settlement: Settlement<Result>): Settlement<Result> =>
  isBusy(settlement) ? HELD : settlement;

/** The number of requests that moved points. */
export const countMoved = (settlements: readonly Settlement<unknown>[]): number =>
  settlements.filter(
    (settlement) =>
      typeof settlement === 'object' &&
      !(settlement instanceof DomainError) &&
      settlement.entries.length > 0,
  ).length;
