import { Field, ObjectType } from 'type-graphql';
import type { CreditLiability } from '../../services/accounting/liability.js';
import { CreditFlows, CreditMovements } from '../credits/reports.type.js';
import { CreditSource } from '../enums.js';
import { SafeIntScalar } from '../scalars.js';

type Row = CreditLiability['rows'][number];
type Part = Row['paid'];
type Lapse = CreditLiability['lapses'][number];
type Revenue = CreditLiability['deferredRevenue'][number];

const OPENING = 'The number of points that users could spend at `from`.';
const CLOSING = 'The number of points that users could spend at `to`.';

@ObjectType('CreditLiabilityPart', {
  description: 'The paid points or the free points of one source.',
})
class CreditLiabilityPart extends CreditMovements implements Part {
  @Field(() => SafeIntScalar, { description: OPENING })
  opening!: number;

  @Field(() => SafeIntScalar, { description: CLOSING })
  closing!: number;
}

@ObjectType('CreditLiabilityRow', {
  description: 'The points of one source that were owed to users, and their changes in the period.',
})
class CreditLiabilityRowType extends CreditFlows implements Row {
  @Field(() => SafeIntScalar, { description: OPENING })
  opening!: number;

  @Field(() => SafeIntScalar, { description: CLOSING })
  closing!: number;

  @Field(() => CreditLiabilityPart, {
    description:
      'The paid points: the points of lots with a price, and of the grace lots that replaced points of such lots.',
  })
  paid!: Part;

  @Field(() => CreditLiabilityPart, {
    description: 'The free points: all points that are not paid points.',
  })
  free!: Part;
}

@ObjectType('CreditLapse', { description: 'Points of one source that expire in the same month.' })
class CreditLapseType implements Lapse {
  @Field(() => String, {
    nullable: true,
    description:
      'The month in UTC, as YYYY-MM, for example 2026-10. Null for points that never expire. Points that expire at the first instant of a month belong to the previous month.',
  })
  month!: string | null;

  @Field(() => CreditSource, { description: 'The source of the points.' })
  source!: Lapse['source'];

  @Field(() => SafeIntScalar, { description: 'The number of points.' })
  points!: number;

  @Field(() => SafeIntScalar, { description: 'The number of paid points.' })
  paid!: number;

  @Field(() => SafeIntScalar, { description: 'The number of free points.' })
  free!: number;
}

@ObjectType('CreditDeferredRevenue', {
  description:
    'The deferred revenue in one currency. All values are in minor units of the currency: opening + sold − spent − lapsed − revoked = closing. The value of a number of points of a lot is price × points ÷ points granted, rounded down.',
})
class CreditDeferredRevenueType implements Revenue {
  @Field(() => String, { description: 'The ISO 4217 code of the currency, for example EUR.' })
  currency!: string;

  @Field(() => SafeIntScalar, {
    description: 'The value of the points that users could spend at `from`.',
  })
  opening!: number;

  @Field(() => SafeIntScalar, { description: 'The total price of the lots that were granted.' })
  sold!: number;

  @Field(() => SafeIntScalar, {
    description:
      'The value of the points that were spent on narrations, minus refunds. It includes the rounding differences.',
  })
  spent!: number;

  @Field(() => SafeIntScalar, {
    description:
      'The value of the points that expired, minus the value of the points that were added to grace lots.',
  })
  lapsed!: number;

  @Field(() => SafeIntScalar, { description: 'The value of the points that were revoked.' })
  revoked!: number;

  @Field(() => SafeIntScalar, {
    description:
      'The value of the points that users could spend at `to`, which is revenue that is not earned yet.',
  })
  closing!: number;
}

@ObjectType('CreditLiability', {
  description:
    'The points owed to users at `from` and at `to`, and their changes after `from` and up to `to`. For each source: opening + granted + grace − debited + refunded − expired − revoked = closing.',
})
export class CreditLiabilityType implements CreditLiability {
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
    description: 'The number of points that users could spend at `from`.',
  })
  opening!: number;

  @Field(() => SafeIntScalar, {
    description: 'The number of points that users could spend at `to`.',
  })
  closing!: number;

  @Field(() => [CreditLiabilityRowType], { description: 'One row for each source.' })
  rows!: CreditLiability['rows'];

  @Field(() => [CreditLapseType], {
    description:
      'The points owed at `to`, by source and by the month in which they expire, soonest first. Points that never expire come last.',
  })
  lapses!: Lapse[];

  @Field(() => [CreditDeferredRevenueType], {
    description:
      'The deferred revenue of paid points, one row for each currency, sorted by its code.',
  })
  deferredRevenue!: Revenue[];
}
