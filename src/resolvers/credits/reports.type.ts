import { Field, Int, ObjectType } from 'type-graphql';
import type { CreditReport } from '../../services/credits/report.js';
import type { LedgerCheck, LedgerHealth } from '../../services/reconciliation/reconcile.js';
import { CreditSource } from '../enums.js';

type ReportRow = CreditReport['rows'][number];

@ObjectType('CreditReportRow', { description: 'What happened to the points of one source.' })
class CreditReportRowType implements ReportRow {
  @Field(() => CreditSource, { description: 'Where the points came from.' })
  source!: ReportRow['source'];

  @Field(() => Int, { description: 'Points that came in.' })
  granted!: number;

  @Field(() => Int, { description: 'Points that paid for narrations.' })
  debited!: number;

  @Field(() => Int, { description: 'Points that were given back.' })
  refunded!: number;

  @Field(() => Int, {
    description: 'Points that lapsed, counted when they lapsed, booked or not.',
  })
  expired!: number;

  @Field(() => Int, { description: 'Points that administrators took back.' })
  revoked!: number;

  @Field(() => Int, { description: 'Points that users could spend at `to`.' })
  outstanding!: number;
}

@ObjectType('CreditRunOff', { description: 'Points that lapse on the same day.' })
class CreditRunOffType {
  @Field(() => String, {
    nullable: true,
    description: 'The day in UTC, as 2026-11-30; null: they never lapse.',
  })
  day!: string | null;

  @Field(() => Int, { description: 'How many.' })
  points!: number;
}

@ObjectType('CreditReport', {
  description:
    'A period, after `from` and up to `to`. For each source: outstanding at `from` + granted − debited + refunded − expired − revoked = outstanding at `to`.',
})
export class CreditReportType implements CreditReport {
  @Field(() => Date, { description: 'Movements at this very instant belong to the period before.' })
  from!: Date;

  @Field(() => Date, { description: 'Movements at this very instant belong to the period.' })
  to!: Date;

  @Field(() => Int, {
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

  @Field(() => Int, { description: 'How many violations were found. 0 when all is well.' })
  violations!: number;

  @Field(() => [String], {
    description: 'The first few violations, with the ids of user, lot, movement and narration.',
  })
  sample!: string[];
}

@ObjectType('LedgerHealth', { description: 'Whether the whole ledger is sound.' })
export class LedgerHealthType implements Omit<LedgerHealth, 'transactions'> {
  @Field(() => Boolean, { description: 'No rule is violated.' })
  ok!: boolean;

  @Field(() => Date, {
    description: 'When it was checked: now for a small ledger, else the last nightly check.',
  })
  checkedAt!: Date;

  @Field(() => Int, { description: 'How many accounts were checked.' })
  accounts!: number;

  @Field(() => [LedgerCheckType], { description: 'All rules, violated or not.' })
  checks!: LedgerCheck[];
}
