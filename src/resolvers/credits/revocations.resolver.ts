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

@InputType('RevokeCreditLotInput', { description: 'A lot to take back.' })
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
}

@ObjectType('RevokeCreditLotPayload', { description: 'The lot that was taken back.' })
export class RevokeCreditLotPayload {
  userId!: string;
  lotId!: string;
  seq!: number | null;
}

@Resolver(() => RevokeCreditLotPayload)
export class RevokeCreditLotResolver {
  @Mutation(() => RevokeCreditLotPayload, {
    description:
      'Forfeits what is left of a lot; debits already taken stay. Repeating it changes nothing. Administrators only.',
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
