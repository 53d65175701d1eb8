import { ArgsType, Field, ID, InputType, Int } from 'type-graphql';
import type { HistoryFilter, LotFilter } from '../../services/credits/credits.js';
import type { GrantCreditsInput } from '../../services/credits/grant-credits.js';
import { CreditLotStatus, CreditSource, CreditTransactionType } from '../enums.js';
import { PageArgs } from '../paging.js';

@ArgsType()
export class CreditLotsArgs extends PageArgs implements LotFilter {
  @Field(() => [CreditLotStatus], { nullable: true, description: 'Only lots of these statuses.' })
  status?: LotFilter['status'];

  @Field(() => [CreditSource], { nullable: true, description: 'Only lots of these sources.' })
  source?: LotFilter['source'];
}

@ArgsType()
export class CreditHistoryArgs extends PageArgs implements HistoryFilter {
  @Field(() => [CreditTransactionType], {
    nullable: true,
    description: 'Only movements of these types.',
  })
  type?: HistoryFilter['type'];

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
  @Field(() => ID, { description: 'Who gets them.' })
  userId!: string;

  @Field(() => Int, { description: '1 to 1,000,000 points.' })
  amount!: number;

  @Field(() => CreditSource, { description: 'Why they are given; decides when they burn.' })
  source!: GrantCreditsInput['source'];

  @Field(() => Date, {
    nullable: true,
    description: 'In the future. Required for EVENT and MONTHLY; otherwise null means never.',
  })
  expiresAt?: Date | null;

  @Field(() => String, {
    description: 'Why, in words; stands in the history. 1 to 500 characters.',
  })
  reason!: string;

  @Field(() => String, {
    description:
      '1 to 255 visible ASCII characters. The same key with the same request grants once, for ever.',
  })
  idempotencyKey!: string;
}
