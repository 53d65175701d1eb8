import { Arg, Ctx, Field, ID, InputType, Int, Mutation, ObjectType, Resolver } from 'type-graphql';
import {
  revokeBulkGrant,
  type BulkRevocationOutcome,
} from '../../services/credits/bulk-revocation/revoke-bulk-grant.js';
import {
  bulkGrantCredits,
  type BulkGrantInput,
  type BulkGrantOutcome,
} from '../../services/credits/bulk-grant.js';
import { signedIn, type Context } from '../context.js';
import { CreditSource } from '../enums.js';
import { SafeIntScalar } from '../scalars.js';
import { CURRENCY, PRICE_MINOR } from './credits.input.js';

@InputType('BulkGrantRow', { description: 'A user, by id or by e-mail address, and points.' })
class BulkGrantRow {
  @Field(() => ID, { nullable: true, description: 'The user, if `email` is not given.' })
  userId?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'The e-mail address of the user, if `userId` is not given.',
  })
  email?: string | null;

  @Field(() => Int, { description: '1 to 1,000,000 points.' })
  amount!: number;

  @Field(() => SafeIntScalar, { nullable: true, description: PRICE_MINOR })
  priceMinor?: number | null;

  @Field(() => String, { nullable: true, description: CURRENCY })
  currency?: string | null;
}

@InputType('BulkGrantInput', { description: 'Points for many users at once.' })
class BulkGrantInputType implements BulkGrantInput {
  @Field(() => CreditSource, { description: 'The source, which decides when they burn.' })
  source!: BulkGrantInput['source'];

  @Field(() => Date, {
    nullable: true,
    description: 'In the future. Required for EVENT and MONTHLY; otherwise null means never.',
  })
  expiresAt?: Date | null;

  @Field(() => String, {
    description: 'The reason, which each history shows. 1 to 500 characters.',
  })
  reason!: string;

  @Field(() => String, {
    description:
      'The key of the whole bulk grant, 1 to 255 visible ASCII characters. Idempotent: the same key with the same request grants only once. A repeated request or a job finishes an interrupted bulk grant.',
  })
  idempotencyKey!: string;

  @Field(() => Boolean, {
    nullable: true,
    defaultValue: false,
    description: 'Only returns the expected result. Changes nothing, and does not use the key.',
  })
  dryRun?: boolean | null;

  @Field(() => [BulkGrantRow], { description: 'At most 10,000.' })
  rows!: BulkGrantRow[];
}

@ObjectType('BulkGrantSkip', { description: 'A row that was skipped.' })
class BulkGrantSkip {
  @Field(() => Int, { description: 'Its index in `rows`, from 0.' })
  row!: number;

  @Field(() => String, { description: 'The reason, as text for users.' })
  reason!: string;
}

@ObjectType('BulkGrantPayload', { description: 'The result of a bulk grant.' })
export class BulkGrantPayload implements BulkGrantOutcome {
  @Field(() => Int, { description: 'How many users got points, or would get them in a dry run.' })
  granted!: number;

  @Field(() => Int, { description: 'How many points they got together.' })
  points!: number;

  @Field(() => [BulkGrantSkip], { description: 'The rows that were skipped, in their order.' })
  skipped!: BulkGrantSkip[];

  @Field(() => Boolean, { description: 'Nothing was granted: this is what would happen.' })
  dryRun!: boolean;

  @Field(() => Boolean, {
    description: 'The key was known: this is the first result, and nothing was granted again.',
  })
  replayed!: boolean;
}

@ObjectType('RevokeBulkGrantPayload', {
  description:
    'What became of the points of a bulk grant: `granted` = `revoked` + `spent` + `lapsed` + `revokedOtherwise`.',
})
export class RevokeBulkGrantPayload implements BulkRevocationOutcome {
  @Field(() => Int, { description: 'How many accounts the grant gave points to.' })
  accounts!: number;

  @Field(() => Int, { description: 'How many points they got together.' })
  granted!: number;

  @Field(() => Int, { description: 'How many points this has taken back.' })
  revoked!: number;

  @Field(() => Int, {
    description:
      'How many points had been spent. What is refunded later is forfeited, and stays counted here.',
  })
  spent!: number;

  @Field(() => Int, { description: 'How many points had lapsed.' })
  lapsed!: number;

  @Field(() => Int, {
    description:
      'How many points were taken back by `revokeCreditLot`, or because the account was deleted.',
  })
  revokedOtherwise!: number;

  @Field(() => Boolean, {
    description:
      'The grant had been taken back: this is the first result, and nothing was taken back again.',
  })
  replayed!: boolean;
}

@Resolver()
export class BulkGrantResolver {
  @Mutation(() => BulkGrantPayload, {
    description:
      'Grants points to many users, as a new lot for each. Rows that name no user, or a user a second time, are skipped. APPROVAL_REQUIRED when another administrator must approve the whole bulk grant. Administrators only.',
  })
  bulkGrantCredits(
    @Ctx() context: Context,
    @Arg('input', () => BulkGrantInputType, { description: 'The grants.' })
    input: BulkGrantInputType,
  ): Promise<BulkGrantPayload> {
    return bulkGrantCredits(context.app, input, signedIn(context).userId);
  }

  @Mutation(() => RevokeBulkGrantPayload, {
    description:
      'Revokes every lot of a `bulkGrantCredits`: what is left is forfeited, debits already taken stay, and later refunds to these lots are forfeited. Idempotent: a repeated request answers with the first result and keeps the first reason. An interrupted revocation is finished by a job or by a repeated request. CONFLICT while the grant is unfinished. Administrators only.',
  })
  revokeBulkGrant(
    @Ctx() context: Context,
    @Arg('idempotencyKey', () => String, { description: 'The key of the grant.' })
    idempotencyKey: string,
    @Arg('reason', () => String, {
      description: 'The reason, which each history shows. 1 to 500 characters.',
    })
    reason: string,
  ): Promise<RevokeBulkGrantPayload> {
    return revokeBulkGrant(context.app, { idempotencyKey, reason }, signedIn(context).userId);
  }
}
