import { Field, Float, ID, Int, ObjectType } from 'type-graphql';
import type { UnfinishedBulkGrant } from '../../services/credits/bulk-grant-orders.js';
import type { UnfinishedBulkRevocation } from '../../services/credits/bulk-revocation/orders.js';
import type { CreditReport, FlowRow } from '../../services/credits/report.js';
import type { KnownHealth } from '../../services/ledger-health/ledger-health.js';
import type { LedgerCheck } from '../../services/reconciliation/reconcile.js';
import { CreditSource } from '../enums.js';
import { SafeIntScalar } from '../scalars.js';

type ReportRow = CreditReport['rows'][number];

type Movements = Omit<FlowRow, 'source'>;

/** The flows of points in a row of a report. */
@ObjectType()
export abstract class CreditMovements implements Movements {
  @Field(() => SafeIntScalar, {
    description: 'Points that were granted. Those of grace lots are counted by `grace`.',
  })
  granted!: number;

  @Field(() => SafeIntScalar, {
    description:
      'Points that came into grace lots: a refund gave them back after their lot had lapsed, so they are counted by `refunded` and `expired`, too.',
  })
  grace!: number;

  @Field(() => SafeIntScalar, { description: 'Points that paid for narrations.' })
  debited!: number;

  @Field(() => SafeIntScalar, { description: 'Points that were given back.' })
  refunded!: number;

  @Field(() => SafeIntScalar, {
    description: 'Points that lapsed, counted when they lapsed, booked or not.',
  })
  expired!: number;

  @Field(() => SafeIntScalar, { description: 'Points that administrators took back.' })
  revoked!: number;
}

/** The flows of the points of one source. */
@ObjectType()
export abstract class CreditFlows extends CreditMovements implements FlowRow {
  @Field(() => CreditSource, { description: 'Where the points came from.' })
  source!: FlowRow['source'];
}

@ObjectType('CreditReportRow', { description: 'What happened to the points of one source.' })
class CreditReportRowType extends CreditFlows implements ReportRow {
  @Field(() => SafeIntScalar, { description: 'Points that users could spend at `to`.' })
  outstanding!: number;
}

@ObjectType('CreditRunOff', { description: 'Points that lapse on the same day.' })
class CreditRunOffType {
  @Field(() => String, {
    nullable: true,
    description: 'The day in UTC, as 2026-11-30; null: they never lapse.',
  })
  day!: string | null;

  @Field(() => SafeIntScalar, { description: 'How many.' })
  points!: number;
}

@ObjectType('CreditReport', {
  description:
    'A period, after `from` and up to `to`. For each source: outstanding at `from` + granted + grace − debited + refunded − expired − revoked = outstanding at `to`.',
})
export class CreditReportType implements CreditReport {
  @Field(() => Date, { description: 'Movements at this very instant belong to the period before.' })
  from!: Date;

  @Field(() => Date, { description: 'Movements at this very instant belong to the period.' })
  to!: Date;

  @Field(() => SafeIntScalar, {
    description: 'Points that users could spend at `to`: what the business still owes.',
  })
  outstanding!: number;

  @Field(() => [CreditReportRowType], { description: 'A row for each source.' })
  rows!: CreditReport['rows'];

  @Field(() => [CreditRunOffType], {
    description: 'Outstanding points by the day on which they lapse, soonest first, never last.',
  })
  runOff!: CreditReport['runOff'];
}

@ObjectType('LedgerCheck', { description: 'One rule that the ledger must keep.' })
class LedgerCheckType implements LedgerCheck {
  @Field(() => String, { description: 'Its number, as in the documentation.' })
  invariant!: string;

  @Field(() => String, { description: 'What must be true.' })
  description!: string;

  @Field(() => SafeIntScalar, {
    description: 'How many violations were found. 0 when all is well.',
  })
  violations!: number;

  @Field(() => [String], {
    description: 'The first few violations, with the ids of user, lot, movement and narration.',
  })
  sample!: string[];
}

@ObjectType('UnfinishedBulkGrant', {
  description:
    'A `bulkGrantCredits` that is being made, or was interrupted. A job finishes what was interrupted, within a minute or so while a worker runs; the same request with its key finishes it, too.',
})
export class UnfinishedBulkGrantType implements UnfinishedBulkGrant {
  @Field(() => String, { description: 'Its key.' })
  idempotencyKey!: string;

  @Field(() => Date, { description: 'When it was ordered.' })
  placedAt!: Date;

  @Field(() => ID, { description: 'The administrator who ordered it.' })
  actorId!: string;

  @Field(() => String, {
    nullable: true,
    description:
      'Why, in words; null for an order of an earlier release, which only the same request with its key can finish.',
  })
  reason!: string | null;

  @Field(() => Int, {
    nullable: true,
    description: 'How many users are to get points; null for an order of an earlier release.',
  })
  recipients!: number | null;
}

@ObjectType('UnfinishedBulkRevocation', {
  description:
    'A `revokeBulkGrant` that is being made, or was interrupted. A job finishes what was interrupted, within a minute or so while a worker runs; the same request finishes it, too.',
})
export class UnfinishedBulkRevocationType implements UnfinishedBulkRevocation {
  @Field(() => String, { description: 'The key of the grant.' })
  idempotencyKey!: string;

  @Field(() => Date, { description: 'When it was ordered.' })
  placedAt!: Date;

  @Field(() => ID, { description: 'The administrator who ordered it.' })
  actorId!: string;

  @Field(() => String, { description: 'Why, in words.' })
  reason!: string;
}

@ObjectType('LedgerHealth', { description: 'Whether the whole ledger is sound.' })
export class LedgerHealthType implements KnownHealth {
  @Field(() => Boolean, {
    description:
      'No rule was violated. False as well when the ledger was never checked: then `checks` is empty and `checkedSecondsAgo` is null.',
  })
  ok!: boolean;

  @Field(() => Date, {
    description:
      'When it was checked: now for a small ledger, else by the last check of the whole. When it was never checked: now.',
  })
  checkedAt!: Date;

  @Field(() => Float, {
    nullable: true,
    description: 'How many seconds ago it was checked; null when it never was.',
  })
  checkedSecondsAgo!: number | null;

  @Field(() => Boolean, {
    description:
      'A check of the whole ledger waits for a worker, or runs. One is started when this is asked of a ledger that was never checked.',
  })
  isChecking!: boolean;

  @Field(() => Int, { description: 'How many accounts were checked.' })
  accounts!: number;

  @Field(() => SafeIntScalar, { description: 'How many transactions these accounts have.' })
  transactions!: number;

  @Field(() => SafeIntScalar, {
    description:
      'How many of the transactions were read. The others lie before checkpoints: an earlier check found nothing wrong with them, and their accounts still have the hash of the checkpoint.',
  })
  transactionsRead!: number;

  @Field(() => Boolean, { description: 'All transactions were read.' })
  isFull!: boolean;

  @Field(() => Float, {
    nullable: true,
    description:
      'How many seconds ago all transactions were last read, which happens once a week; null when that never was.',
  })
  fullyCheckedSecondsAgo!: number | null;

  @Field(() => [LedgerCheckType], {
    description: 'All rules that were checked, violated or not.',
  })
  checks!: LedgerCheck[];
}
