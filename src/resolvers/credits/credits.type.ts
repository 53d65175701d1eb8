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
  description: 'Points that were granted together, with one source and one expiry.',
})
export class CreditLotType implements LotView {
  id!: string;

  @Field(() => CreditSource, { description: 'The source of the points.' })
  source!: LotView['source'];

  @Field(() => CreditLotStatus, { description: 'The current status of the lot.' })
  status!: LotView['status'];

  @Field(() => Int, { description: 'The number of points that were granted.' })
  granted!: number;

  @Field(() => Int, {
    description:
      'The number of points left in the lot, including points that can no longer be spent.',
  })
  remaining!: number;

  @Field(() => Int, {
    description:
      'The spending priority: lots with a lower number are spent first. It is set when the lot is granted, from the configured priority of the source. A grace lot has the priority of its `parent`.',
  })
  priority!: number;

  @Field(() => Date, { description: 'When the lot was granted.' })
  grantedAt!: Date;

  @Field(() => Date, {
    nullable: true,
    description:
      'When the lot expires. From this instant on, its points cannot be spent. Null if it never expires.',
  })
  expiresAt!: Date | null;

  @Field(() => Date, {
    nullable: true,
    description:
      'When the whole lot was revoked, by an administrator or because the account was deleted. Null otherwise. Revoking a part of the lot does not set it.',
  })
  revokedAt!: Date | null;

  @Field(() => SafeIntScalar, {
    nullable: true,
    description:
      'The total price of the lot, in minor units of the currency. Null for free points, and for grace lots, which hold points that were refunded after their original lot had expired.',
  })
  priceMinor!: number | null;

  @Field(() => String, {
    nullable: true,
    description:
      'The ISO 4217 code of the currency, for example EUR. Null if `priceMinor` is null.',
  })
  currency!: string | null;

  userId!: string;
  parentLotId!: string | null;
  period!: string | null;
}

@ObjectType('CreditTransaction', {
  implements: Node,
  description: 'A change of a user’s points. Transactions are immutable and are never deleted.',
})
export class CreditTransactionType implements Omit<TransactionView, 'hash'> {
  id!: string;

  @Field(() => Int, {
    description: 'The number of the transaction in the user’s history: 1, 2, 3 …, without gaps.',
  })
  seq!: number;

  @Field(() => TransactionKind, { description: 'The type of the transaction.' })
  type!: TransactionView['type'];

  @Field(() => Int, {
    description:
      'The number of points: positive if they were added, negative if they were removed.',
  })
  amount!: number;

  @Field(() => Int, {
    description:
      'The sum of `remaining` over all lots of the user after this transaction. It includes expired points whose EXPIRY has not been recorded yet.',
  })
  balanceAfter!: number;

  @Field(() => String, {
    nullable: true,
    description: 'The reason, as text. Null if the transaction has none.',
  })
  reason!: string | null;

  @Field(() => Date, {
    description:
      'When the transaction took effect. For an EXPIRY, this is when the lot expired, or `recordedAt` if the books of that month were closed before the expiry was recorded.',
  })
  effectiveAt!: Date;

  @Field(() => Date, { description: 'When the transaction was recorded.' })
  recordedAt!: Date;

  userId!: string;
  audioId!: string | null;
  storyId!: string | null;
  debitSeq!: number | null;
  actorId!: string | null;
}

@ObjectType('CreditAllocation', {
  description: 'The part of a transaction that applies to one lot.',
})
export class CreditAllocation {
  @Field(() => Int, { description: 'The number of points, with the sign of the transaction.' })
  amount!: number;

  userId!: string;
  lotId!: string;
}

export const CreditLotConnection = connectionOf('CreditLot', () => CreditLotType);
export const CreditTransactionConnection = connectionOf(
  'CreditTransaction',
  () => CreditTransactionType,
  { counted: true },
);

@ObjectType('CreditsBySource', { description: 'The points of one source that can be spent now.' })
export class CreditsBySource {
  @Field(() => CreditSource, { description: 'The source of the points.' })
  source!: LotView['source'];

  @Field(() => Int, { description: 'The number of points.' })
  balance!: number;
}

@ObjectType('ExpiringCredits', { description: 'Points that expire at the same instant.' })
export class ExpiringCredits {
  @Field(() => Date, {
    description: 'When the points expire. From this instant on, they cannot be spent.',
  })
  at!: Date;

  @Field(() => Int, { description: 'The number of points.' })
  points!: number;
}

@ObjectType('Credits', { description: 'The current points of a user.' })
export class CreditsType {
  userId!: string;
}
