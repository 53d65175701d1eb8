import { ArgsType, Field, ID, InputType, Int } from 'type-graphql';
import type { HistoryFilter, LotFilter } from '../../services/credits/credits.js';
import type { GrantCreditsInput } from '../../services/credits/grant-credits.js';
import { CreditLotStatus, CreditSource, CreditTransactionType } from '../enums.js';
import { PageArgs } from '../paging.js';
import { SafeIntScalar } from '../scalars.js';

/** The descriptions of a price, for a grant and for a row of a bulk grant. */
export const PRICE_MINOR =
  'The price of all these points together, in minor units of the currency: 1 to 1,000,000,000,000, where 999 is 9.99 EUR. Null for free points. Not allowed for MONTHLY, because the monthly allowance is not sold.';
export const CURRENCY =
  'The ISO 4217 code of the currency, for example EUR. Required with `priceMinor`, and only allowed with it.';

@ArgsType()
export class CreditLotsArgs extends PageArgs implements LotFilter {
  @Field(() => [CreditLotStatus], {
    nullable: true,
    description: 'Only lots of these statuses. A status that is repeated counts once.',
  })
  status?: LotFilter['status'];

  @Field(() => [CreditSource], {
    nullable: true,
    description: 'Only lots of these sources. A source that is repeated counts once.',
  })
  source?: LotFilter['source'];
}

@ArgsType()
export class CreditHistoryArgs extends PageArgs implements HistoryFilter {
  @Field(() => [CreditTransactionType], {
    nullable: true,
    description: 'Only movements of these types. A type that is repeated counts once.',
  })
  type?: HistoryFilter['type'];

  @Field(() => [CreditSource], {
    nullable: true,
    description:
      'Only movements that fell on a lot of one of these sources. A source that is repeated counts once.',
  })
  source?: HistoryFilter['source'];

  @Field(() => ID, { nullable: true, description: 'Only movements of this narration.' })
  audioId?: string | null;

  @Field(() => Date, {
    nullable: true,
    description: 'Only movements that took effect at or after this instant.',
  })
  from?: Date | null;

  @Field(() => Date, {
    nullable: true,
    description: 'Only movements that took effect before this instant.',
  })
  to?: Date | null;
}

@InputType('GrantCreditsInput', { description: 'Points for a user.' })
export class GrantCreditsInputType implements GrantCreditsInput {
  @Field(() => ID, { description: 'The user who gets the points.' })
  userId!: string;

  @Field(() => Int, { description: '1 to 1,000,000 points.' })
  amount!: number;

  @Field(() => CreditSource, { description: 'The source, which decides when they burn.' })
  source!: GrantCreditsInput['source'];

  @Field(() => Date, {
    nullable: true,
    description: 'In the future. Required for EVENT and MONTHLY; otherwise null means never.',
  })
  expiresAt?: Date | null;

  @Field(() => SafeIntScalar, { nullable: true, description: PRICE_MINOR })
  priceMinor?: number | null;

  @Field(() => String, { nullable: true, description: CURRENCY })
  currency?: string | null;

  @Field(() => String, {
    description: 'The reason, which the history shows. 1 to 500 characters.',
  })
  reason!: string;

  @Field(() => String, {
    description:
      '1 to 255 visible ASCII characters. Idempotent: the same key with the same request grants only once.',
  })
  idempotencyKey!: string;
}
