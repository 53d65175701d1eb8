import {
  Arg,
  Ctx,
  Field,
  FieldResolver,
  ID,
  InputType,
  Int,
  Mutation,
  ObjectType,
  Resolver,
  Root,
} from 'type-graphql';
import {
  skipCode,
  skippedForRow,
  type BulkSkip,
  type BulkSkipCode,
} from '../../services/desk/bulk-skips.js';
import type { UserView } from '../../services/accounts/people.sql.js';
import {
  revokeBulkGrant,
  type BulkRevocationOutcome,
} from '../../services/credits/bulk-revocation/revoke-bulk-grant.js';
import {
  bulkGrantCredits,
  type BulkGrantInput,
  type BulkGrantOutcome,
} from '../../services/credits/bulk-grant.js';
import { spendablePoints } from '../../services/credits/credits.js';
import { UserType } from '../accounts/user.type.js';
import { signedIn, type Context } from '../context.js';
import { BulkGrantSkipCode, CreditSource } from '../enums.js';
import { must } from '../loaders.js';
import { SafeIntScalar } from '../scalars.js';
import { CURRENCY, EXPIRY, PRICE_MINOR } from './credits.input.js';

@InputType('BulkGrantRow', {
  description: 'A grant to one user, who is identified by id or by e-mail address.',
})
class BulkGrantRow {
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
class BulkGrantInputType implements BulkGrantInput {
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

@ObjectType('BulkGrantSkip', { description: 'A row that was skipped.' })
export class BulkGrantSkip implements BulkSkip {
  @Field(() => Int, { description: 'The index of the row in `rows`, starting at 0.' })
  row!: number;

  @Field(() => String, { description: 'The reason why the row was skipped, as text for display.' })
  reason!: string;
}

/** A recipient of the order, whose user and balance are read on demand. */
type RecipientRow = BulkGrantOutcome['recipients'][number];

@ObjectType('BulkGrantRecipient', { description: 'A user who would receive points.' })
export class BulkGrantRecipient {
  @Field(() => Int, { description: 'The index of the row in `rows`, starting at 0.' })
  row!: number;

  @Field(() => Int, { description: 'The number of points that the user would receive.' })
  amount!: number;

  userId!: RecipientRow['userId'];
  priceMinor!: number | null;
  currency!: string | null;
}

@ObjectType('BulkGrantPayload', { description: 'The result of a bulk grant.' })
export class BulkGrantPayload implements BulkGrantOutcome {
  @Field(() => Int, {
    description:
      'The number of users who received points. In a dry run, the number who would receive them.',
  })
  granted!: number;

  @Field(() => Int, {
    description:
      'The total number of points that these users received. In a dry run, the number that they would receive.',
  })
  points!: number;

  @Field(() => [BulkGrantSkip], {
    description: 'The rows that were skipped, in the order of `rows`.',
  })
  skipped!: readonly BulkGrantSkip[];

  @Field(() => [BulkGrantRecipient], {
    description:
      'In a dry run, the users who would receive points, in the order of `rows`, at most 100. Otherwise empty.',
  })
  recipients!: readonly BulkGrantRecipient[];

  @Field(() => Boolean, { description: 'Whether the request was a dry run, which grants nothing.' })
  dryRun!: boolean;

  @Field(() => Boolean, {
    description:
      'Whether the bulk grant with this key was already complete. If so, this is the first result, and nothing was granted again.',
  })
  replayed!: boolean;
}

@ObjectType('RevokeBulkGrantPayload', {
  description:
    'The result of revoking a bulk grant. `granted` = `revoked` + `spent` + `lapsed` + `revokedOtherwise`.',
})
export class RevokeBulkGrantPayload implements BulkRevocationOutcome {
  @Field(() => Int, {
    description: 'The number of accounts that received points from the bulk grant.',
  })
  accounts!: number;

  @Field(() => Int, { description: 'The total number of points that these accounts received.' })
  granted!: number;

  @Field(() => Int, { description: 'The number of points that this revocation removed.' })
  revoked!: number;

  @Field(() => Int, {
    description:
      'The number of points that had been spent. Points that are refunded later are forfeited, and are still counted here.',
  })
  spent!: number;

  @Field(() => Int, { description: 'The number of points that had expired.' })
  lapsed!: number;

  @Field(() => Int, {
    description:
      'The number of points that were revoked by `revokeCreditLot`, or because the account was deleted.',
  })
  revokedOtherwise!: number;

  @Field(() => Boolean, {
    description:
      'Whether the bulk grant had already been revoked. If so, this is the first result, and nothing was revoked again.',
  })
  replayed!: boolean;
}

@Resolver(() => BulkGrantSkip)
export class BulkGrantSkipResolver {
  @FieldResolver(() => BulkGrantSkipCode, {
    description: 'The reason why the row was skipped, for programs.',
  })
  code(@Root() skip: BulkSkip): BulkSkipCode {
    return skipCode(skip);
  }

  @FieldResolver(() => Int, {
    nullable: true,
    description: 'The index of the first row with the same user. Null unless REPEATED_USER.',
  })
  otherRow(@Root() skip: BulkSkip): number | null {
    return skippedForRow(skip);
  }
}

@Resolver(() => BulkGrantRecipient)
export class BulkGrantRecipientResolver {
  @FieldResolver(() => UserType, { description: 'The user.' })
  user(@Root() { userId }: RecipientRow, @Ctx() { loaders }: Context): Promise<UserView> {
    return must(loaders.users.load(userId));
  }

  @FieldResolver(() => Int, { description: 'The points that the user can spend now.' })
  async balance(@Root() { userId }: RecipientRow, @Ctx() { loaders }: Context): Promise<number> {
    return spendablePoints((await loaders.balances.load(userId)) ?? []);
  }
}

@Resolver()
export class BulkGrantResolver {
  @Mutation(() => BulkGrantPayload, {
    description:
      'Grants points to many users, as one new lot for each user. A row is skipped if its user is not found, if an earlier row has the same user, or if the grant to the user is refused. APPROVAL_REQUIRED if another administrator must approve the whole bulk grant, because it exceeds the daily limit for one administrator. CONFLICT if the proposal with this key was declined or has lapsed. Administrators only.',
  })
  bulkGrantCredits(
    @Ctx() context: Context,
    @Arg('input', () => BulkGrantInputType, { description: 'The bulk grant.' })
    input: BulkGrantInputType,
  ): Promise<BulkGrantPayload> {
    return bulkGrantCredits(context.app, input, signedIn(context).userId);
  }

  @Mutation(() => RevokeBulkGrantPayload, {
    description:
      'Revokes every lot of a bulk grant. The remaining points and later refunds to these lots are forfeited. Points that were already spent are not affected. Idempotent: a repeated request returns the first result and keeps the first reason. If the revocation was interrupted, a repeated request or a job finishes it. CONFLICT if the bulk grant is not finished. Administrators only.',
  })
  revokeBulkGrant(
    @Ctx() context: Context,
    @Arg('idempotencyKey', () => String, { description: 'The idempotency key of the bulk grant.' })
    idempotencyKey: string,
    @Arg('reason', () => String, {
      description: 'The reason, 1 to 500 characters. It is shown in the history of each user.',
    })
    reason: string,
  ): Promise<RevokeBulkGrantPayload> {
    return revokeBulkGrant(context.app, { idempotencyKey, reason }, signedIn(context).userId);
  }
}
