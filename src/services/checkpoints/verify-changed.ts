import { FIRST_ID } from '../../domain/ids.js';
import { readSnapshot } from '../../infra/db.js';
import { checkAudit } from '../reconciliation/audit.sql.js';
import { INVARIANTS } from '../reconciliation/invariants.sql.js';
import {
  ACCOUNTS_AT_ONCE,
  EVERYBODY,
  TRANSACTIONS_AT_ONCE,
  type Facts,
  type Range,
  type Report,
  type Verification,
} from '../reconciliation/parts.js';
import { checkInvariants, verifyRange, type Walk } from '../reconciliation/verify.js';
import {
  readPage,
  writeCheckpoints,
  type ChangedAccount,
  type Checkpoint,
  type Page,
} from './checkpoints.sql.js';
import { proveSince, type GrownAccount } from './since.js';

/** Up to this many accounts of a page are read one by one. Beyond it, one range that covers all of them is read. */
const SINGLE_RANGES_MAX = 50;

/**
 * Checks the whole ledger from its checkpoints. An account that agrees with its checkpoint is not read further. An
 * account with more transactions is checked from its checkpoint if that proves it. It is otherwise read wholly, like
 * one without a checkpoint. Invariants that need no history are checked for every account. No locks. A page of accounts
 * is one snapshot.
 * @param walk.keep the id of the check under which the new checkpoints are written
 */
export async function verifyChanged(
  app: Facts,
  report: Report,
  walk: Walk & { readonly keep: string },
): Promise<Verification> {
  const sum = { accounts: 0, transactions: 0, transactionsRead: 0 };
  const part: Walk = { ...walk, isPartial: true };
  for (let after: string | null = FIRST_ID; after !== null;) {
    walk.signal?.throwIfAborted();
    const { page, proven } = await readChanged(app, after, walk.signal);
    if (proven.length > 0) await writeCheckpoints(app.db, walk.keep, proven);
    const known = new Map(page.changed.map(({ userId, knownSeq }) => [userId, knownSeq ?? 0]));
    for (const { userId, lastSeq } of proven)
      sum.transactionsRead += lastSeq - (known.get(userId) ?? 0);
    for (const range of rangesOf(page, proven))
      sum.transactionsRead += (await verifyRange(app, range, report, part)).transactionsRead;
    sum.accounts += page.accounts;
    sum.transactions += page.transactions;
    after = page.lastId;
  }
  const everywhere = INVARIANTS.filter(({ cheap, atOnce }) => cheap ?? atOnce ?? false);
  await checkInvariants(app, EVERYBODY, everywhere, report);
  await checkAudit(app, report);
  return sum;
}

/** A page, and new checkpoints of its changed accounts as far as they are proven, in one snapshot. */
const readChanged = (
  app: Facts,
  after: string,
  signal: AbortSignal | undefined,
): Promise<{ page: Page; proven: readonly Checkpoint[] }> =>
  readSnapshot(app.db, async (tx) => {
    const page = await readPage(tx, { after, limit: ACCOUNTS_AT_ONCE });
    const proven: Checkpoint[] = [];
    for (const batch of batchesOf(page.changed.filter(hasGrown))) {
      signal?.throwIfAborted();
      proven.push(...(await proveSince(tx, batch)));
    }
    return { page, proven };
  });

const hasGrown = (account: ChangedAccount): account is GrownAccount => {
  const { isWell, knownSeq, lastSeq } = account;
  if (!isWell || knownSeq === null || knownSeq >= lastSeq) return false;
  // A longer history is read in windows by `verifyRange`.
  return lastSeq - knownSeq <= TRANSACTIONS_AT_ONCE;
};

function* batchesOf(accounts: readonly GrownAccount[]): Generator<GrownAccount[]> {
  let [batch, transactions]: [GrownAccount[], number] = [[], 0];
  for (const account of accounts) {
    const more = account.lastSeq - account.knownSeq;
    if (batch.length > 0 && transactions + more > TRANSACTIONS_AT_ONCE) {
      yield batch;
      [batch, transactions] = [[], 0];
    }
    batch.push(account);
    transactions += more;
  }
  if (batch.length > 0) yield batch;
}

/** The changed accounts that were not proven, as ranges of users. */
function rangesOf({ changed }: Page, proven: readonly Checkpoint[]): Range[] {
  const isProven = new Set(proven.map(({ userId }) => userId));
  const rest = changed.map(({ userId }) => userId).filter((userId) => !isProven.has(userId));
  const [from, to] = [rest[0], rest.at(-1)];
  if (from === undefined || to === undefined) return [];
  if (rest.length > SINGLE_RANGES_MAX) return [{ from, to }];
  return rest.map((userId) => ({ from: userId, to: userId }));
}
