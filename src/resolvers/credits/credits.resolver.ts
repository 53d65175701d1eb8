import { Arg, Args, Ctx, FieldResolver, ID, Int, Query, Resolver, Root } from 'type-graphql';
import {
  balanceAt,
  expiringCredits,
  findTransaction,
  ledgerKey,
  ledgerKeyOrNull,
  listHistory,
  listLotHistory,
  listLots,
  spendablePoints,
  type AllocationView,
  type LotView,
  type TransactionView,
} from '../../services/credits/credits.js';
import type { UserView } from '../../services/accounts/people.js';
import type { AudioView } from '../../services/narrations/audios.js';
import type { Story } from '../../services/stories/stories.js';
import { UserType } from '../accounts/user.type.js';
import { AudioType } from '../audio/audio.type.js';
import { signedIn, type Context } from '../context.js';
import { must } from '../loaders.js';
import { PageArgs, toConnection, type Connection } from '../paging.js';
import { StoryType } from '../stories/story.type.js';
import { CreditHistoryArgs, CreditLotsArgs } from './credits.input.js';
import {
  CreditAllocation,
  CreditLotConnection,
  CreditLotType,
  CreditsBySource,
  CreditsType,
  CreditTransactionConnection,
  CreditTransactionType,
  ExpiringCredits,
} from './credits.type.js';

@Resolver(() => CreditsType)
export class CreditsResolver {
  @Query(() => CreditLotConnection, {
    description: 'Your own lots, newest first: the same as `me { creditLots }`.',
  })
  async creditLots(
    @Ctx() context: Context,
    @Args(() => CreditLotsArgs) args: CreditLotsArgs,
  ): Promise<Connection<LotView>> {
    return toConnection(await listLots(context.app, signedIn(context).userId, args));
  }

  @Query(() => CreditTransactionConnection, {
    description: 'Every movement of your points, newest first: the same as `me { creditHistory }`.',
  })
  async creditHistory(
    @Ctx() context: Context,
    @Args(() => CreditHistoryArgs) args: CreditHistoryArgs,
  ): Promise<Connection<TransactionView>> {
    return toConnection(await listHistory(context.app, signedIn(context).userId, args));
  }

  @Query(() => CreditTransactionType, {
    nullable: true,
    description:
      'One of your own movements; for administrators and auditors, anybody’s. NOT_FOUND for any other.',
  })
  transaction(
    @Ctx() context: Context,
    @Arg('id', () => ID, { description: 'Its id.' }) id: string,
  ): Promise<TransactionView> {
    return findTransaction(context.app, signedIn(context), id);
  }

  @FieldResolver(() => Int, {
    description: 'Points that can be spent at this moment. Never counts an expired or revoked lot.',
  })
  async balance(@Root() { userId }: CreditsType, @Ctx() { loaders }: Context): Promise<number> {
    return spendablePoints((await loaders.balances.load(userId)) ?? []);
  }

  @FieldResolver(() => String, { description: 'What a point is called.' })
  unitLabel(@Ctx() { app }: Context): string {
    return app.config.credits.unitLabel;
  }

  @FieldResolver(() => Int, { description: 'Code points of text that one point pays for.' })
  unitSize(@Ctx() { app }: Context): number {
    return app.config.credits.unitSize;
  }

  @FieldResolver(() => [CreditsBySource], {
    description: 'The balance by source; sources without points are left out.',
  })
  async bySource(
    @Root() { userId }: CreditsType,
    @Ctx() { loaders }: Context,
  ): Promise<CreditsBySource[]> {
    return (await loaders.balances.load(userId)) ?? [];
  }

  @FieldResolver(() => [ExpiringCredits], {
    description: 'The next points to lapse, soonest first.',
  })
  expiring(
    @Root() { userId }: CreditsType,
    @Ctx() { app }: Context,
    @Arg('days', () => Int, {
      nullable: true,
      defaultValue: 30,
      description: 'How many days to look ahead, 1 to 3,660.',
    })
    days: number | null,
  ): Promise<ExpiringCredits[]> {
    return expiringCredits(app, userId, days);
  }

  @FieldResolver(() => Int, { description: 'The spendable balance as it was.' })
  balanceAt(
    @Root() { userId }: CreditsType,
    @Ctx() { app }: Context,
    @Arg('at', () => Date, { description: 'An instant that is not in the future.' }) at: Date,
  ): Promise<number> {
    return balanceAt(app, userId, at);
  }
}

@Resolver(() => CreditLotType)
export class CreditLotResolver {
  @FieldResolver(() => CreditLotType, {
    nullable: true,
    description: 'The lapsed lot that this one makes good for.',
  })
  parent(@Root() lot: LotView, @Ctx() { loaders }: Context): Promise<LotView | null> {
    return loaders.optional(loaders.lots, ledgerKeyOrNull(lot.userId, lot.parentLotId));
  }

  @FieldResolver(() => CreditTransactionConnection, {
    description: 'Every movement of this lot, newest first.',
  })
  async transactions(
    @Root() lot: LotView,
    @Ctx() { app }: Context,
    @Args(() => PageArgs) args: PageArgs,
  ): Promise<Connection<TransactionView>> {
    return toConnection(await listLotHistory(app, lot, args));
  }
}

@Resolver(() => CreditTransactionType)
export class CreditTransactionResolver {
  @FieldResolver(() => [CreditAllocation], {
    description: 'Which lots it fell on, in the order in which they were taken.',
  })
  async allocations(
    @Root() entry: TransactionView,
    @Ctx() { loaders }: Context,
  ): Promise<AllocationView[]> {
    return must(loaders.allocations.load(ledgerKey(entry.userId, entry.seq)));
  }

  @FieldResolver(() => StoryType, { nullable: true, description: 'The story that was narrated.' })
  story(@Root() entry: TransactionView, @Ctx() { loaders }: Context): Promise<Story | null> {
    return loaders.optional(loaders.stories, entry.storyId);
  }

  @FieldResolver(() => AudioType, {
    nullable: true,
    description: 'The narration that was paid for or given back.',
  })
  audio(@Root() entry: TransactionView, @Ctx() { loaders }: Context): Promise<AudioView | null> {
    return loaders.optional(loaders.audios, ledgerKeyOrNull(entry.userId, entry.audioId));
  }

  @FieldResolver(() => CreditTransactionType, {
    nullable: true,
    description: 'For a REFUND, the debit that it gives back.',
  })
  debit(
    @Root() entry: TransactionView,
    @Ctx() { loaders }: Context,
  ): Promise<TransactionView | null> {
    return loaders.transactionOf(entry.userId, entry.debitSeq);
  }

  @FieldResolver(() => UserType, {
    nullable: true,
    description: 'The administrator who did it, if one did.',
  })
  actor(@Root() entry: TransactionView, @Ctx() { loaders }: Context): Promise<UserView | null> {
    return loaders.optional(loaders.users, entry.actorId);
  }

  @FieldResolver(() => String, {
    description: 'Hex SHA-256 that chains this movement to the one before.',
  })
  hash(@Root() entry: TransactionView): string {
    return Buffer.from(entry.hash).toString('hex');
  }
}

@Resolver(() => CreditAllocation)
export class CreditAllocationResolver {
  @FieldResolver(() => CreditLotType, { description: 'The lot.' })
  lot(@Root() part: AllocationView, @Ctx() { loaders }: Context): Promise<LotView> {
    return must(loaders.lots.load(ledgerKey(part.userId, part.lotId)));
  }
}
