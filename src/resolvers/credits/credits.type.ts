import { Field, Int, ObjectType } from 'type-graphql';
import type { LotView, TransactionView } from '../../services/credits/credits.js';
import {
  CreditLotStatus,
  CreditSource,
  CreditTransactionType as TransactionKind,
} from '../enums.js';
import { Node } from '../node.js';
import { connectionOf } from '../paging.js';
import { SafeIntScalar } from '../scalars.js';

@ObjectType('CreditLot', {
  implements: Node,
  description: 'Points that came in together: one source, one expiry.',
})
export class CreditLotType implements LotView {
  id!: string;

  @Field(() => CreditSource, { description: 'Where the points came from.' })
  source!: LotView['source'];

  @Field(() => CreditLotStatus, { description: 'What has become of the lot at this moment.' })
  status!: LotView['status'];

  @Field(() => Int, { description: 'Points it began with.' })
  granted!: number;

  @Field(() => Int, { description: 'Points left in the lot, spendable or not.' })
  remaining!: number;

  @Field(() => Int, {
    description: 'Lower burns first. Copied from the source when the lot was granted.',
  })
  priority!: number;

  @Field(() => Date, { description: 'When the points came in.' })
  grantedAt!: Date;

  @Field(() => Date, {
    nullable: true,
    description: 'From this instant on it cannot be spent; null: never lapses.',
  })
  expiresAt!: Date | null;

  @Field(() => Date, { nullable: true, description: 'When an administrator took it back.' })
  revokedAt!: Date | null;

  @Field(() => SafeIntScalar, {
    nullable: true,
    description:
      'The price of all points of the lot together, in minor units of the currency. Null for free points, and for points that were refunded after the paid lot had lapsed.',
  })
  priceMinor!: number | null;

  @Field(() => String, {
    nullable: true,
    description: 'The ISO 4217 code of the currency, for example EUR. Null without a price.',
  })
  currency!: string | null;

  userId!: string;
  parentLotId!: string | null;
  period!: string | null;
}

@ObjectType('CreditTransaction', {
  implements: Node,
  description: 'One movement of points. It never changes and is never deleted.',
})
export class CreditTransactionType implements Omit<TransactionView, 'hash'> {
  id!: string;

  @Field(() => Int, { description: '1, 2, 3 … without gaps, for each user.' })
  seq!: number;

  @Field(() => TransactionKind, { description: 'Why points moved.' })
  type!: TransactionView['type'];

  @Field(() => Int, { description: 'Signed: what was added to (+) or taken from (-) the lots.' })
  amount!: number;

  @Field(() => Int, { description: 'Sum of all lots’ remaining points after this movement.' })
  balanceAfter!: number;

  @Field(() => String, { nullable: true, description: 'Why, in words.' })
  reason!: string | null;

  @Field(() => Date, {
    description:
      'When it took effect; for an expiry, the lot’s expiry instant, unless the books of that month were closed before it was written down.',
  })
  effectiveAt!: Date;

  @Field(() => Date, { description: 'When it was written down.' })
  recordedAt!: Date;

  userId!: string;
  audioId!: string | null;
  storyId!: string | null;
  debitSeq!: number | null;
  actorId!: string | null;
}

@ObjectType('CreditAllocation', { description: 'How much of a movement fell on one lot.' })
export class CreditAllocation {
  @Field(() => Int, { description: 'Points, signed like the movement.' })
  amount!: number;

  userId!: string;
  lotId!: string;
}

export const CreditLotConnection = connectionOf('CreditLot', () => CreditLotType);
export const CreditTransactionConnection = connectionOf(
  'CreditTransaction',
  () => CreditTransactionType,
);

@ObjectType('CreditsBySource', { description: 'Spendable points of one source.' })
export class CreditsBySource {
  @Field(() => CreditSource, { description: 'Where they came from.' })
  source!: LotView['source'];

  @Field(() => Int, { description: 'Points that can be spent now.' })
  balance!: number;
}

@ObjectType('ExpiringCredits', { description: 'Points that lapse together.' })
export class ExpiringCredits {
  @Field(() => Date, { description: 'The first instant at which they cannot be spent any more.' })
  at!: Date;

  @Field(() => Int, { description: 'How many.' })
  points!: number;
}

@ObjectType('Credits', { description: 'A wallet at this moment.' })
export class CreditsType {
  userId!: string;
}
