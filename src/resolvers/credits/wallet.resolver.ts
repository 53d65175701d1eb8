import {
  Args,
  ArgsType,
  Ctx,
  Field,
  FieldResolver,
  Int,
  ObjectType,
  Resolver,
  Root,
} from 'type-graphql';
import type { TransactionView } from '../../services/credits/credits.js';
import {
  balanceSeries,
  type BalancePoint,
  type Bucket as BucketName,
} from '../../services/credits/past/series.js';
import type { Context } from '../context.js';
import { Bucket } from '../enums.js';
import { CreditsType, CreditTransactionType } from './credits.type.js';

@ObjectType('BalancePoint', { description: 'The balance at an instant.' })
export class BalancePointType implements BalancePoint {
  @Field(() => Date, { description: 'The instant.' })
  at!: Date;

  @Field(() => Int, { description: 'The number of points that could be spent then.' })
  balance!: number;
}

@ArgsType()
class SeriesArgs {
  @Field(() => Date, { description: 'The instant of the first balance.' })
  from!: Date;

  @Field(() => Date, {
    description:
      'The instant of the last balance, after `from`. Balances in the future are left out.',
  })
  to!: Date;

  @Field(() => Bucket, { description: 'How far apart the balances are.' })
  bucket!: BucketName;
}

/** What a client shows of the points of a user besides the balance. */
@Resolver(() => CreditsType)
export class WalletResolver {
  @FieldResolver(() => [BalancePointType], {
    description:
      'The balance over time, for a chart: at `from`, at each start of a day, a week or a month (UTC) after it, and at `to`. At most 400 balances. It counts as one read of points.',
  })
  series(
    @Root() { userId }: CreditsType,
    @Ctx() { app }: Context,
    @Args(() => SeriesArgs) args: SeriesArgs,
  ): Promise<BalancePoint[]> {
    return balanceSeries(app, userId, args);
  }

  @FieldResolver(() => Int, {
    description: 'When the balance is below this number, clients should say that points run low.',
  })
  lowBelow(@Ctx() { app }: Context): number {
    return app.config.credits.lowBelow;
  }

  @FieldResolver(() => CreditTransactionType, {
    nullable: true,
    description: 'The newest transaction. Null when there is none.',
  })
  async lastTransaction(
    @Root() { userId }: CreditsType,
    @Ctx() { loaders }: Context,
  ): Promise<TransactionView | null> {
    return (await loaders.lastTransactions.load(userId)) ?? null;
  }
}
