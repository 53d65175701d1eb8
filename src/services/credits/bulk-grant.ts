import { z } from 'zod';
import type { App } from '../../app.js';
import { badUserInput, DomainError, idempotencyKeyReused } from '../../domain/errors.js';
import type { UserId } from '../../domain/ids.js';
import { MOST_POINTS } from '../../domain/ledger/book.js';
import { hashRequest, keys } from '../../domain/ledger/idempotency.js';
import { settleGrants, type GrantOutcome, type GrantRequest } from '../ledger/grants.js';
import type { Settlement } from '../ledger/group-commit.js';
import { settleInBulk } from '../ledger/in-bulk.js';
import { observe } from '../ledger/observed.js';
import { readLedgerClock } from '../ledger/clock.sql.js';
import { idempotencyKey, line, parseRequest, points } from '../validation.js';
import {
  beginBulkGrant,
  findBulkGrant,
  finishBulkGrant,
  type BulkGrantResult,
} from './bulk-grant-claims.js';
import { grantTerms } from './grant-credits.js';
import { findRecipients, type NamedRow, type Recipient } from './recipients.js';

export interface BulkGrantInput {
  readonly source: GrantRequest['terms']['source'];
  readonly expiresAt?: Date | null;
  readonly reason: string;
  readonly idempotencyKey: string;
  readonly dryRun?: boolean | null;
  readonly rows: readonly NamedRow[];
}

export interface BulkGrantOutcome extends BulkGrantResult {
  readonly dryRun: boolean;
  /** The key was known: this is the first result. */
  readonly replayed: boolean;
}

const MOST_ROWS = 10_000;
const ROWS_IN_A_BATCH = 500;

const bulkGrant = grantTerms.safeExtend({
  reason: line(1, 500),
  idempotencyKey,
  dryRun: z
    .boolean()
    .nullish()
    .transform((dryRun) => dryRun ?? false),
  rows: z
    .array(
      z.object({
        userId: z.string().nullish(),
        email: z.string().nullish(),
        amount: points(1, 1_000_000),
      }),
    )
    .min(1, 'must have at least one row')
    .max(MOST_ROWS, `must have at most ${MOST_ROWS.toLocaleString('en')} rows`)
    .refine(
      (rows) => rows.reduce((sum, { amount }) => sum + amount, 0) <= MOST_POINTS,
      `must come to at most ${MOST_POINTS.toLocaleString('en')} points together`,
    ),
});

type Request = z.output<typeof bulkGrant>;

/**
 * Grants one lot to each of many users. Rows that name nobody, or somebody twice, are skipped and say
 * why. The key is for the whole: the same request under it is answered with the first result, for ever,
 * and one that was interrupted is finished. A dry run changes nothing and remembers nothing.
 * @param actorId the administrator who does it
 * @throws BAD_USER_INPUT, IDEMPOTENCY_KEY_REUSED
 */
export async function bulkGrantCredits(
  app: App,
  input: BulkGrantInput,
  actorId: UserId,
): Promise<BulkGrantOutcome> {
  const request = parseRequest(bulkGrant, input);
  const { dryRun } = request;
  const claim = {
    key: request.idempotencyKey,
    requestHash: requestHashOf(request),
    actorId,
    reason: request.reason,
  };
  const known = await findBulkGrant(app.db, claim);
  if (known === null) await assertFuture(app, request.expiresAt);
  const first = known ?? (dryRun ? null : await beginBulkGrant(app.db, claim));
  if (first?.sameRequest === false) throw idempotencyKeyReused();
  if (first?.result != null) return { ...first.result, dryRun, replayed: true };
  const { recipients, skipped } = await findRecipients(app, request.rows);
  if (dryRun) return { ...sumUp(recipients, skipped), dryRun, replayed: false };
  const granted = await grantAll(app, request, recipients, actorId);
  const result = sumUp(granted.recipients, [...skipped, ...granted.skipped]);
  await finishBulkGrant(app.db, claim, result);
  const { granted: users, points: total } = result;
  app.log.info(
    { actorId, users, points: total, skipped: result.skipped.length },
    'bulk grant done',
  );
  return { ...result, dryRun, replayed: false };
}

/** By the ledger's clock, and before anything is written. */
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
  ]);

type Skipped = BulkGrantResult['skipped'];

function sumUp(recipients: readonly Recipient[], skipped: Skipped): BulkGrantResult {
  return {
    granted: recipients.length,
    points: recipients.reduce((sum, { amount }) => sum + amount, 0),
    skipped: [...skipped].sort((a, b) => a.row - b.row),
  };
}

/** Each batch is one commit, and a grant that an interrupted run has made is not made again. */
async function grantAll(
  app: App,
  request: Request,
  recipients: readonly Recipient[],
  actorId: UserId,
): Promise<{ recipients: Recipient[]; skipped: Skipped }> {
  const observer = observe<GrantRequest>(app, 'bulk-grant', () => request.source);
  const done: Recipient[] = [];
  const skipped: Skipped = [];
  for (let start = 0; start < recipients.length; start += ROWS_IN_A_BATCH) {
    const batch = recipients.slice(start, start + ROWS_IN_A_BATCH);
    const requests = batch.map((recipient) => grantRequest(app, request, recipient, actorId));
    const settlements = await settleInBulk(app, settleGrants, observer, requests, {
      patient: true,
    });
    batch.forEach((recipient, index) => {
      const refusal = refusalOf(settlements[index]);
      if (refusal === null) done.push(recipient);
      else skipped.push({ row: recipient.row, reason: refusal });
    });
  }
  return { recipients: done, skipped };
}

/** @throws what has nothing to do with the row: then the whole can be tried again with its key */
function refusalOf(settlement: Settlement<GrantOutcome> | undefined): string | null {
  if (settlement === undefined || typeof settlement === 'symbol') return 'There is no such user.';
  if (!(settlement instanceof DomainError)) return null;
  if (settlement.code === 'BUSY' || settlement.code === 'INTERNAL') throw settlement;
  return settlement.message;
}

const grantRequest = (
  app: App,
  { source, expiresAt, reason, idempotencyKey: key }: Request,
  { userId, amount }: Recipient,
  actorId: UserId,
): GrantRequest => ({
  userId,
  terms: { source, priority: app.config.credits.priorityOf[source], amount, expiresAt },
  reason,
  idempotencyKey: keys.bulkGrant(key),
  requestHash: hashRequest([source, amount, expiresAt?.toISOString() ?? null, reason]),
  actorId,
  action: null,
});
