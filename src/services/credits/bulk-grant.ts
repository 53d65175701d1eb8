import { z } from 'zod';
import type { App } from '../app.js';
import { badUserInput, idempotencyKeyReused } from '../../domain/errors.js';
import type { UserId } from '../../domain/ids.js';
import { POINTS_MAX } from '../../domain/ledger/book.js';
import { hashRequest } from '../../domain/ledger/idempotency.js';
import { priceParts } from '../../domain/ledger/lots.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { addPriceFault, idempotencyKey, line, parseRequest } from '../validation.js';
import {
  findBulkGrant,
  placeBulkGrant,
  sumUp,
  type BulkGrantOrder,
  type BulkGrantResult,
} from './bulk-grant-orders.js';
import { runBulkGrant } from './bulk-grant-run.js';
import { grantTerms } from './grant-credits.js';
import { findRecipients, namedRow, type Recipient } from './recipients.js';

export interface BulkGrantOutcome extends BulkGrantResult {
  readonly dryRun: boolean;
  /** Whether the key was known. Then this is the first result. */
  readonly replayed: boolean;
  /** In a dry run, the first users who would receive points. */
  readonly recipients: readonly Recipient[];
}

/** The greatest number of recipients in a preview. */
const PREVIEWED_MAX = 100;

const ROWS_MAX = 10_000;

const bulkGrant = grantTerms.safeExtend({
  reason: line(1, 500),
  idempotencyKey,
  dryRun: z
    .boolean()
    .nullish()
    .transform((dryRun) => dryRun ?? false),
  rows: z
    .array(namedRow)
    .min(1, 'must have at least one row')
    .max(ROWS_MAX, `must have at most ${ROWS_MAX.toLocaleString('en')} rows`)
    .refine(
      (rows) => rows.reduce((sum, { amount }) => sum + amount, 0) <= POINTS_MAX,
      `must come to at most ${POINTS_MAX.toLocaleString('en')} points together`,
    ),
});

export type BulkGrantInput = z.input<typeof bulkGrant>;

const pricedBulkGrant = bulkGrant.superRefine(({ source, rows }, context) => {
  for (const [index, row] of rows.entries()) addPriceFault(context, ['rows', index], row, source);
});

type Request = z.output<typeof bulkGrant>;

/**
 * Grants one lot to each of many users. A row that names no user, or a user a second time, is skipped with a
 * reason. Idempotent: the key identifies the whole bulk grant, and the same request with the same key always
 * returns the first result. A repeated request or a job finishes an interrupted bulk grant. A dry run changes
 * nothing and does not use the key.
 * @param actorId the administrator who grants
 * @throws BAD_USER_INPUT, IDEMPOTENCY_KEY_REUSED, APPROVAL_REQUIRED, CONFLICT (the proposal with this key was
 *   declined or has lapsed), BUSY (a job grants the remaining rows)
 */
export async function bulkGrantCredits(
  app: App,
  input: BulkGrantInput,
  actorId: UserId,
): Promise<BulkGrantOutcome> {
  const request = parseRequest(pricedBulkGrant, input);
  const { dryRun, idempotencyKey: key } = request;
  const requestHash = requestHashOf(request);
  const isSame = (known: { requestHash: Uint8Array }): boolean =>
    Buffer.compare(known.requestHash, requestHash) === 0;
  const known = await findBulkGrant(app, key);
  if (known === null) await assertFuture(app, request.expiresAt);
  else if (!isSame(known)) throw idempotencyKeyReused();
  const answer = { dryRun, replayed: true, recipients: [] };
  if (known?.result != null) return { ...known.result, ...answer };
  const order = known?.order ?? (await orderOf(app, request));
  if (dryRun) {
    const recipients = order.recipients.slice(0, PREVIEWED_MAX);
    return { ...sumUp(order.recipients, order.skipped), dryRun, replayed: false, recipients };
  }
  const claim = { key, requestHash, actorId };
  const placed = known?.order == null ? await placeBulkGrant(app, claim, order) : known;
  // A concurrent request may have claimed the key first.
  if (!isSame(placed)) throw idempotencyKeyReused();
  if (placed.result !== null) return { ...placed.result, ...answer };
  const run = { key, order: placed.order ?? order, actorId: placed.actorId };
  return { ...(await runBulkGrant(app, run, { byJob: false })), ...answer, replayed: false };
}

/** Checks the expiry by the ledger's clock, before anything is written. */
async function assertFuture(app: App, expiresAt: Date | null): Promise<void> {
  if (expiresAt !== null && expiresAt <= (await readLedgerClock(app.db))) {
    throw badUserInput('expiresAt', 'must be in the future');
  }
}

const requestHashOf = ({ source, expiresAt, reason, rows }: Request): Uint8Array =>
  hashRequest([
    source,
    expiresAt?.toISOString() ?? null,
    reason,
    ...rows.flatMap(({ userId, email, amount }) => [userId ?? null, email ?? null, amount]),
    // A price starts with the index of its row. The index is a number, so it cannot be confused with a row's user.
    ...rows.flatMap((row, index) => {
      const price = priceParts(row);
      return price.length === 0 ? [] : [index, ...price];
    }),
  ]);

async function orderOf(
  app: App,
  { source, expiresAt, reason, rows }: Request,
): Promise<BulkGrantOrder> {
  const priority = app.config.credits.priorityOf[source];
  return { source, priority, expiresAt, reason, ...(await findRecipients(app, rows)) };
}
