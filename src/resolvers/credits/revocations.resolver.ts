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
import { ledgerKey, type LotView, type TransactionView } from '../../services/credits/credits.js';
import { revokeCreditLot, type RevokeCreditLotInput } from '../../services/credits/revoke-lot.js';
import { signedIn, type Context } from '../context.js';
import { must } from '../loaders.js';
import { CreditLotType, CreditTransactionType } from './credits.type.js';

@InputType('RevokeCreditLotInput', {
  description: 'A lot to revoke, as a whole or in part.',
})
class RevokeCreditLotInputType implements RevokeCreditLotInput {
  @Field(() => ID, { description: 'The id of the lot.' })
  lotId!: string;

  @Field(() => String, {
    description: 'The reason, 1 to 500 characters. It is shown in the user’s history.',
  })
  reason!: string;

  @Field(() => Int, {
    nullable: true,
    description:
      'The number of points that the lot is expected to hold. CONFLICT if it holds a different number. Null for no check.',
  })
  expectedRemaining?: number | null;

  @Field(() => Int, {
    nullable: true,
    description:
      'The number of points to revoke, 1 to 2,000,000,000. The rest of the lot can still be spent. CONFLICT if fewer points are left. Null revokes the whole lot.',
  })
  amount?: number | null;

  @Field(() => String, {
    nullable: true,
    description:
      'A unique key for this partial revocation, 1 to 255 visible ASCII characters. Required if `amount` is given, and not allowed without it. A repeated request with the same key returns the first result and revokes nothing again. Keys do not expire. A different request with the same key gets IDEMPOTENCY_KEY_REUSED.',
  })
  idempotencyKey?: string | null;
}

@ObjectType('RevokeCreditLotPayload', {
  description: 'The result of revoking a lot or a part of it.',
})
export class RevokeCreditLotPayload {
  userId!: string;
  lotId!: string;
  seq!: number | null;

  @Field(() => Boolean, {
    description:
      'Whether the lot had already been revoked, or the idempotency key was already used. If so, this is the first result, and nothing was revoked again.',
  })
  replayed!: boolean;
}

@Resolver(() => RevokeCreditLotPayload)
export class RevokeCreditLotResolver {
  @Mutation(() => RevokeCreditLotPayload, {
    description:
      'Revokes a lot or a part of it: the remaining points, or the given number of them, are forfeited. Points that were already spent are not affected. A later refund to the lot is forfeited if the whole lot was revoked, but can be spent if only a part was revoked. Idempotent. Administrators only.',
  })
  revokeCreditLot(
    @Ctx() context: Context,
    @Arg('input', () => RevokeCreditLotInputType, { description: 'The lot and the reason.' })
    input: RevokeCreditLotInputType,
  ): Promise<RevokeCreditLotPayload> {
    return revokeCreditLot(context.app, input, signedIn(context).userId);
  }

  @FieldResolver(() => CreditTransactionType, {
    nullable: true,
    description: 'The REVOCATION transaction. Null if there were no points left to forfeit.',
  })
  transaction(
    @Root() { userId, seq }: RevokeCreditLotPayload,
    @Ctx() { loaders }: Context,
  ): Promise<TransactionView | null> {
    return loaders.transactionOf(userId, seq);
  }

  @FieldResolver(() => CreditLotType, { description: 'The lot in its current state.' })
  lot(
    @Root() { userId, lotId }: RevokeCreditLotPayload,
    @Ctx() { loaders }: Context,
  ): Promise<LotView> {
    return must(loaders.lots.load(ledgerKey(userId, lotId)));
  }
}
