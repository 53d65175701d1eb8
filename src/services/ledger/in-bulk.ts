import type { App } from '../../app.js';
import { DomainError } from '../../domain/errors.js';
import { transact } from '../../infra/db.js';
import { LOCKED, type Observer, type Settle, type Settlement } from './group-commit.js';
import { observeAll } from './observed.js';

/**
 * Settles the requests of a background task, in one transaction that waits for nobody. With `patient`,
 * those whose account someone else holds are settled afterwards, each by itself; without, they are left
 * as LOCKED. What cannot be settled at all is answered with its error and holds up nothing.
 */
export async function settleInBulk<Request extends { readonly userId: string }, Result>(
  app: App,
  settle: Settle<Request, Result>,
  observer: Observer<Request>,
  requests: readonly Request[],
  options: { patient: boolean },
): Promise<readonly Settlement<Result>[]> {
  if (requests.length === 0) return [];
  const startedAt = performance.now();
  const together = await settleTogether(app, settle, requests);
  const settlements: Settlement<Result>[] = [...(together ?? requests.map(() => LOCKED))];
  for (const [index, settlement] of settlements.entries()) {
    const request = requests[index];
    if (settlement !== LOCKED || request === undefined) continue;
    // Of a batch that failed, nobody is known to be locked.
    if (!options.patient && together !== null) continue;
    settlements[index] = await settleAlone(app, settle, request);
  }
  observeAll(observer, requests, settlements, performance.now() - startedAt);
  return settlements;
}

/** All of them in one commit; null when one poisoned request sends them all to be settled alone. */
async function settleTogether<Request, Result>(
  app: App,
  settle: Settle<Request, Result>,
  requests: readonly Request[],
): Promise<readonly Settlement<Result>[] | null> {
  try {
    return await transact(app.db, (tx) => settle(tx, requests, { wait: false }));
  } catch (error) {
    if (error instanceof DomainError && error.code === 'BUSY') throw error;
    app.log.warn({ err: error, requests: requests.length }, 'a batch is settled one by one');
    return null;
  }
}

async function settleAlone<Request, Result>(
  app: App,
  settle: Settle<Request, Result>,
  request: Request,
): Promise<Settlement<Result>> {
  try {
    const [settlement = LOCKED] = await transact(app.db, (tx) =>
      settle(tx, [request], { wait: true }),
    );
    return settlement;
  } catch (error) {
    if (error instanceof DomainError) return error;
    return new DomainError('INTERNAL', 'The command could not be settled.', {}, { cause: error });
  }
}

/** How many requests moved points. */
export const countMoved = (settlements: readonly Settlement<unknown>[]): number =>
  settlements.filter(
    (settlement) =>
      typeof settlement === 'object' &&
      !(settlement instanceof DomainError) &&
      settlement.entries.length > 0,
  ).length;
