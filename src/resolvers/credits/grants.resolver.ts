import { Arg, Ctx, Field, FieldResolver, Mutation, ObjectType, Resolver, Root } from 'type-graphql';
import type { UserView } from '../../services/accounts/people.sql.js';
import { ledgerKey, type LotView, type TransactionView } from '../../services/credits/credits.js';
import { grantCredits } from '../../services/credits/grant-credits.js';
import { UserType } from '../accounts/user.type.js';
import { signedIn, type Context } from '../context.js';
import { must } from '../loaders.js';
import { GrantCreditsInputType } from './credits.input.js';
import { CreditLotType, CreditTransactionType } from './credits.type.js';

@ObjectType('GrantCreditsPayload', { description: 'The result of a grant.' })
export class GrantCreditsPayload {
  @Field(() => Boolean, {
    description:
      'Whether the idempotency key was already used for this grant. If so, this is the first result, and nothing was granted again.',
  })
  replayed!: boolean;

  userId!: string;
  seq!: number;
  lotId!: string;
}

@Resolver(() => GrantCreditsPayload)
export class GrantCreditsResolver {
  @Mutation(() => GrantCreditsPayload, {
    description:
      'Grants points to a user, as a new lot. APPROVAL_REQUIRED if another administrator must approve the grant, because it exceeds the daily limit for one administrator. CONFLICT if the proposal with this key was declined or has lapsed. Administrators only.',
  })
  grantCredits(
    @Ctx() context: Context,
    @Arg('input', () => GrantCreditsInputType, { description: 'The grant.' })
    input: GrantCreditsInputType,
  ): Promise<GrantCreditsPayload> {
    return grantCredits(context.app, input, signedIn(context).userId);
  }

  @FieldResolver(() => CreditTransactionType, {
    description: 'The GRANT transaction in the user’s history.',
  })
  transaction(
    @Root() { userId, seq }: GrantCreditsPayload,
    @Ctx() { loaders }: Context,
  ): Promise<TransactionView> {
    return must(loaders.transactions.load(ledgerKey(userId, seq)));
  }

  @FieldResolver(() => CreditLotType, { description: 'The lot that holds the points.' })
  lot(
    @Root() { userId, lotId }: GrantCreditsPayload,
    @Ctx() { loaders }: Context,
  ): Promise<LotView> {
    return must(loaders.lots.load(ledgerKey(userId, lotId)));
  }

  @FieldResolver(() => UserType, { description: 'The user who received the points.' })
  user(@Root() { userId }: GrantCreditsPayload, @Ctx() { loaders }: Context): Promise<UserView> {
    return must(loaders.users.load(userId));
  }
}
