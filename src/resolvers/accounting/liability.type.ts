import { Field, ObjectType } from 'type-graphql';
import type { CreditLiability } from '../../services/accounting/liability.js';
import { CreditFlows, CreditMovements } from '../credits/reports.type.js';
import { CreditSource } from '../enums.js';
import { SafeIntScalar } from '../scalars.js';

type Row = CreditLiability['rows'][number];
type Part = Row['paid'];
type Lapse = CreditLiability['lapses'][number];
type Revenue = CreditLiability['deferredRevenue'][number];

const OPENING = 'Points that users could spend at `from`.';
const CLOSING = 'Points that users could spend at `to`.';

@ObjectType('CreditLiabilityPart', {
  description: 'The paid points of one source, or the free ones.',
})
class CreditLiabilityPart extends CreditMovements implements Part {
  @Field(() => SafeIntScalar, { description: OPENING })
  opening!: number;

  @Field(() => SafeIntScalar, { description: CLOSING })
  closing!: number;
}

@ObjectType('CreditLiabilityRow', {
  description: 'The points of one source that were owed, and their movements.',
})
class CreditLiabilityRowType extends CreditFlows implements Row {
  @Field(() => SafeIntScalar, { description: OPENING })
  opening!: number;

  @Field(() => SafeIntScalar, { description: CLOSING })
  closing!: number;

  @Field(() => CreditLiabilityPart, {
    description:
      'The part with a price: the points of lots with a price, and of the grace lots that descend from them.',
  })
  paid!: Part;

  @Field(() => CreditLiabilityPart, { description: 'The part without a price: all other points.' })
  free!: Part;
}

@ObjectType('CreditLapse', { description: 'Points of one source that lapse in the same month.' })
class CreditLapseType implements Lapse {
  @Field(() => String, {
    nullable: true,
    description:
      'The month in UTC, for example 2026-10. Null for points that never lapse. Points that lapse at the first instant of a month belong to the month before.',
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
    'The deferred revenue in one currency, in its minor units: opening + sold − spent − lapsed − revoked = closing. The value of points of a lot is price × points ÷ points granted, rounded down.',
})
class CreditDeferredRevenueType implements Revenue {
  @Field(() => String, { description: 'The ISO 4217 code of the currency, for example EUR.' })
  currency!: string;

  @Field(() => SafeIntScalar, {
    description: 'The value of the points that users could spend at `from`.',
  })
  opening!: number;

  @Field(() => SafeIntScalar, { description: 'The prices of the lots that were granted.' })
  sold!: number;

  @Field(() => SafeIntScalar, {
    description:
      'The value of the points that narrations cost, minus refunds. It includes the rounding differences.',
  })
  spent!: number;

  @Field(() => SafeIntScalar, {
    description: 'The value of the points that lapsed, minus that of grace lots.',
  })
  lapsed!: number;

  @Field(() => SafeIntScalar, { description: 'The value of the points that were revoked.' })
  revoked!: number;

  @Field(() => SafeIntScalar, {
    description: 'The value of the points that users could spend at `to`: revenue not yet earned.',
  })
  closing!: number;
}

@ObjectType('CreditLiability', {
  description:
    'The points owed to users at `from` and at `to`, and the movements after `from` and up to `to`. For each source: opening + granted + grace − debited + refunded − expired − revoked = closing.',
})
export class CreditLiabilityType implements CreditLiability {
  @Field(() => Date, { description: 'Movements at this very instant belong to the period before.' })
  from!: Date;

  @Field(() => Date, { description: 'Movements at this very instant belong to the period.' })
  to!: Date;

  @Field(() => SafeIntScalar, { description: 'Points that users could spend at `from`.' })
  opening!: number;

  @Field(() => SafeIntScalar, { description: 'Points that users could spend at `to`.' })
  closing!: number;

  @Field(() => [CreditLiabilityRowType], { description: 'A row for each source.' })
  rows!: CreditLiability['rows'];

  @Field(() => [CreditLapseType], {
    description:
      'The points owed at `to`, by the month in which they lapse. Soonest first; points that never lapse come last.',
  })
  lapses!: Lapse[];

  @Field(() => [CreditDeferredRevenueType], {
    description: 'The deferred revenue of paid points, a row for each currency.',
  })
  deferredRevenue!: Revenue[];
}
