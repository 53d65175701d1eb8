import { Field, ObjectType } from 'type-graphql';
import type { CreditReport, FlowRow } from '../../services/credits/report.js';
import { CreditSource } from '../enums.js';
import { SafeIntScalar } from '../scalars.js';

type ReportRow = CreditReport['rows'][number];

type Movements = Omit<FlowRow, 'source'>;

/** The flows of points in a row of a report. */
@ObjectType()
export abstract class CreditMovements implements Movements {
  @Field(() => SafeIntScalar, {
    description:
      'The number of points granted, without the points of grace lots, which are counted in `grace`.',
  })
  granted!: number;

  @Field(() => SafeIntScalar, {
    description:
      'The number of points added to grace lots, because they were refunded after their original lot had expired. They are also counted in `refunded` and `expired`.',
  })
  grace!: number;

  @Field(() => SafeIntScalar, { description: 'The number of points spent on narrations.' })
  debited!: number;

  @Field(() => SafeIntScalar, { description: 'The number of points refunded.' })
  refunded!: number;

  @Field(() => SafeIntScalar, {
    description:
      'The number of points that expired. They are counted when they expired, even if the EXPIRY is recorded later.',
  })
  expired!: number;

  @Field(() => SafeIntScalar, {
    description:
      'The number of points revoked by administrators, or because the account was deleted.',
  })
  revoked!: number;
}

/** The flows of the points of one source. */
@ObjectType()
export abstract class CreditFlows extends CreditMovements implements FlowRow {
  @Field(() => CreditSource, { description: 'The source of the points.' })
  source!: FlowRow['source'];
}

@ObjectType('CreditReportRow', {
  description: 'The points of one source in the period of a report.',
})
class CreditReportRowType extends CreditFlows implements ReportRow {
  @Field(() => SafeIntScalar, {
    description: 'The number of points that users could spend at `to`.',
  })
  outstanding!: number;
}

@ObjectType('CreditRunOff', { description: 'Points that expire on the same day.' })
class CreditRunOffType {
  @Field(() => String, {
    nullable: true,
    description:
      'The day of the expiry in UTC, as an ISO 8601 date, for example 2026-11-30. Null for points that never expire.',
  })
  day!: string | null;

  @Field(() => SafeIntScalar, { description: 'The number of points.' })
  points!: number;
}

@ObjectType('CreditReport', {
  description:
    'The points of all users in the period after `from` and up to `to`. For each source: outstanding at `from` + granted + grace − debited + refunded − expired − revoked = outstanding at `to`.',
})
export class CreditReportType implements CreditReport {
  @Field(() => Date, {
    description:
      'The start of the period, exclusive: a transaction at exactly this instant belongs to the previous period.',
  })
  from!: Date;

  @Field(() => Date, {
    description:
      'The end of the period, inclusive: a transaction at exactly this instant belongs to this period.',
  })
  to!: Date;

  @Field(() => SafeIntScalar, {
    description:
      'The number of points that users could spend at `to`, and that the business therefore still owes.',
  })
  outstanding!: number;

  @Field(() => [CreditReportRowType], { description: 'One row for each source.' })
  rows!: CreditReport['rows'];

  @Field(() => [CreditRunOffType], {
    description:
      'The outstanding points by the day on which they expire, soonest first. Points that never expire come last.',
  })
  runOff!: CreditReport['runOff'];
}
