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
  description: 'A lot to take back, or a part of one.',
})
class RevokeCreditLotInputType implements RevokeCreditLotInput {
  @Field(() => ID, { description: 'The lot.' })
  lotId!: string;

  @Field(() => String, {
    description: 'Why, in words; stands in the history. 1 to 500 characters.',
  })
  reason!: string;

  @Field(() => Int, {
    nullable: true,
    description: 'Refuses with CONFLICT when the lot now holds a different number of points.',
  })
  expectedRemaining?: number | null;

  @Field(() => Int, {
    nullable: true,
    description:
      'Takes back only so many points, 1 or more, and leaves the lot alive with the rest. Refuses with CONFLICT when less is left. Null takes back all that is left and ends the lot.',
  })
  amount?: number | null;

  @Field(() => String, {
    nullable: true,
    description:
      '1 to 255 visible ASCII characters, required with `amount` and refused without it. The same key with the same request takes back once, for ever.',
  })
  idempotencyKey?: string | null;
}

@ObjectType('RevokeCreditLotPayload', {
  description: 'The lot that was taken back, or a part of it.',
})
export class RevokeCreditLotPayload {
  userId!: string;
  lotId!: string;
  seq!: number | null;

  @Field(() => Boolean, {
    description:
      'The lot had been taken back, or the key was known: this is the first result, and nothing was taken back again.',
  })
  replayed!: boolean;
}

@Resolver(() => RevokeCreditLotPayload)
export class RevokeCreditLotResolver {
  @Mutation(() => RevokeCreditLotPayload, {
    description:
      'Forfeits what is left of a lot, or a part of it; debits already taken stay. A later refund to the lot is forfeited if the whole lot was revoked, and can be spent if only a part was. Idempotent. Administrators only.',
  })
  revokeCreditLot(
    @Ctx() context: Context,
    @Arg('input', () => RevokeCreditLotInputType, { description: 'The lot and why.' })
    input: RevokeCreditLotInputType,
  ): Promise<RevokeCreditLotPayload> {
    return revokeCreditLot(context.app, input, signedIn(context).userId);
  }

  @FieldResolver(() => CreditTransactionType, {
    nullable: true,
    description: 'The REVOCATION; null when there was nothing left to forfeit.',
  })
  transaction(
    @Root() { userId, seq }: RevokeCreditLotPayload,
    @Ctx() { loaders }: Context,
  ): Promise<TransactionView | null> {
    return loaders.transactionOf(userId, seq);
  }

  @FieldResolver(() => CreditLotType, { description: 'The lot as it is now.' })
  lot(
    @Root() { userId, lotId }: RevokeCreditLotPayload,
    @Ctx() { loaders }: Context,
  ): Promise<LotView> {
    return must(loaders.lots.load(ledgerKey(userId, lotId)));
  }
}
