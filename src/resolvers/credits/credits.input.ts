import { ArgsType, Field, ID, InputType, Int } from 'type-graphql';
import { CREDIT_SOURCES, sourceOf, sourcesWith } from '../../domain/ledger/lots.js';
import type { HistoryFilter, LotFilter } from '../../services/credits/credits.js';
import type { GrantCreditsInput } from '../../services/credits/grant-credits.js';
import { CreditLotStatus, CreditSource, CreditTransactionType } from '../enums.js';
import { PageArgs } from '../paging.js';
import { SafeIntScalar } from '../scalars.js';
import type { BulkGrantInput } from '../../services/credits/bulk-grant.js';

const unsold = CREDIT_SOURCES.map(
  (source) => [source, sourceOf(source).noPriceBecause] as const,
).flatMap(([source, because]) => (because === null ? [] : [`${source}, because ${because}`]));

/** The descriptions of what a grant and a bulk grant have in common. */
export const EXPIRY = `When the points expire. Must be in the future, and not after 2200-01-01T00:00:00Z. Required for ${sourcesWith(({ mustExpire }) => mustExpire)}. For other sources, null means that the points never expire.`;
export const PRICE_MINOR = `The total price of these points, in minor units of the currency, 1 to 1,000,000,000,000. For example, 999 is 9.99 EUR. Null for free points. Not allowed for ${unsold.join('; ')}.`;
export const CURRENCY =
  'The ISO 4217 code of the currency in capital letters, for example EUR. Required if `priceMinor` is given, and not allowed without it.';

@ArgsType()
export class CreditLotsArgs extends PageArgs implements LotFilter {
  @Field(() => [CreditLotStatus], {
    nullable: true,
    description:
      'Only lots with one of these statuses. Null for all lots. Duplicate values are ignored.',
  })
  status?: LotFilter['status'];

  @Field(() => [CreditSource], {
    nullable: true,
    description:
      'Only lots with one of these sources. Null for all lots. Duplicate values are ignored.',
  })
  source?: LotFilter['source'];
}

@ArgsType()
export class CreditHistoryArgs extends PageArgs implements HistoryFilter {
  @Field(() => [CreditTransactionType], {
    nullable: true,
    description:
      'Only transactions of one of these types. Null for all transactions. Duplicate values are ignored.',
  })
  type?: HistoryFilter['type'];

  @Field(() => [CreditSource], {
    nullable: true,
    description:
      'Only transactions that changed a lot with one of these sources. Null for all transactions. Duplicate values are ignored.',
  })
  source?: HistoryFilter['source'];

  @Field(() => ID, {
    nullable: true,
    description: 'Only transactions of the narration with this id.',
  })
  audioId?: string | null;

  @Field(() => Date, {
    nullable: true,
    description: 'Only transactions with an `effectiveAt` at or after this instant.',
  })
  from?: Date | null;

  @Field(() => Date, {
    nullable: true,
    description:
      'Only transactions with an `effectiveAt` before this instant. Must not be before `from`.',
  })
  to?: Date | null;
}

@InputType('GrantCreditsInput', { description: 'A grant of points to one user.' })
export class GrantCreditsInputType implements GrantCreditsInput {
  @Field(() => ID, { description: 'The id of the user who receives the points.' })
  userId!: string;

  @Field(() => Int, { description: 'The number of points, 1 to 1,000,000.' })
  amount!: number;

  @Field(() => CreditSource, {
    description: 'The source of the points. It determines the spending priority of the lot.',
  })
  source!: GrantCreditsInput['source'];

  @Field(() => Date, {
    nullable: true,
    description: EXPIRY,
  })
  expiresAt?: Date | null;

  @Field(() => SafeIntScalar, { nullable: true, description: PRICE_MINOR })
  priceMinor?: number | null;

  @Field(() => String, { nullable: true, description: CURRENCY })
  currency?: string | null;

  @Field(() => String, {
    description: 'The reason, 1 to 500 characters. It is shown in the user’s history.',
  })
  reason!: string;

  @Field(() => String, {
    description:
      'A unique key for this grant, 1 to 255 visible ASCII characters. A repeated request with the same key returns the first result and grants nothing again. A different request with the same key gets IDEMPOTENCY_KEY_REUSED.',
  })
  idempotencyKey!: string;
}

type Row = BulkGrantInput['rows'][number];

@InputType('BulkGrantRow', {
  description: 'A grant to one user, who is identified by id or by e-mail address.',
})
class BulkGrantRow implements Row {
  @Field(() => ID, {
    nullable: true,
    description:
      'The id of the user. Required if `email` is not given. If both are given, they must identify the same user.',
  })
  userId?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'The e-mail address of the user. Required if `userId` is not given.',
  })
  email?: string | null;

  @Field(() => Int, { description: 'The number of points, 1 to 1,000,000.' })
  amount!: number;

  @Field(() => SafeIntScalar, { nullable: true, description: PRICE_MINOR })
  priceMinor?: number | null;

  @Field(() => String, { nullable: true, description: CURRENCY })
  currency?: string | null;
}

@InputType('BulkGrantInput', { description: 'A grant of points to many users.' })
export class BulkGrantInputType implements BulkGrantInput {
  @Field(() => CreditSource, {
    description: 'The source of the points. It determines the spending priority of the lots.',
  })
  source!: BulkGrantInput['source'];

  @Field(() => Date, {
    nullable: true,
    description: EXPIRY,
  })
  expiresAt?: Date | null;

  @Field(() => String, {
    description: 'The reason, 1 to 500 characters. It is shown in the history of each user.',
  })
  reason!: string;

  @Field(() => String, {
    description:
      'A unique key for the whole bulk grant, 1 to 255 visible ASCII characters. A repeated request with the same key returns the first result and grants nothing again. If the bulk grant was interrupted, a repeated request or a job finishes it. A different request with the same key gets IDEMPOTENCY_KEY_REUSED.',
  })
  idempotencyKey!: string;

  @Field(() => Boolean, {
    nullable: true,
    defaultValue: false,
    description:
      'If true, only returns the expected result: nothing is changed, and the key is not used. Default false.',
  })
  dryRun?: boolean | null;

  @Field(() => [BulkGrantRow], {
    description: 'The grants, 1 to 10,000 rows with at most 2,000,000,000 points in total.',
  })
  rows!: BulkGrantRow[];
}
