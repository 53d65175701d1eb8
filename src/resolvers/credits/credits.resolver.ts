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
import type { UserView } from '../../services/accounts/people.sql.js';
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
    description: 'Your own lots, newest first. The same as `me { creditLots }`.',
  })
  async creditLots(
    @Ctx() context: Context,
    @Args(() => CreditLotsArgs) args: CreditLotsArgs,
  ): Promise<Connection<LotView>> {
    return toConnection(await listLots(context.app, signedIn(context).userId, args));
  }

  @Query(() => CreditTransactionConnection, {
    description: 'Your own transactions, newest first. The same as `me { creditHistory }`.',
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
      'A transaction by its id. You can read your own transactions. Administrators and auditors can read the transactions of all users. NOT_FOUND for any other id.',
  })
  transaction(
    @Ctx() context: Context,
    @Arg('id', () => ID, { description: 'The id of the transaction.' }) id: string,
  ): Promise<TransactionView> {
    return findTransaction(context.app, signedIn(context), id);
  }

  @FieldResolver(() => Int, {
    description:
      'The number of points that can be spent now. It does not include expired or revoked lots.',
  })
  async balance(@Root() { userId }: CreditsType, @Ctx() { loaders }: Context): Promise<number> {
    return spendablePoints((await loaders.balances.load(userId)) ?? []);
  }

  @FieldResolver(() => String, {
    description: 'The configured display name of the points. The default is “Story Points”.',
  })
  unitLabel(@Ctx() { app }: Context): string {
    return app.config.credits.unitLabel;
  }

  @FieldResolver(() => Int, {
    description:
      'The number of Unicode code points of text that one point pays for. The price of a narration is rounded up to a whole point.',
  })
  unitSize(@Ctx() { app }: Context): number {
    return app.config.credits.unitSize;
  }

  @FieldResolver(() => [CreditsBySource], {
    description: 'The balance by source. Sources without points that can be spent are omitted.',
  })
  async bySource(
    @Root() { userId }: CreditsType,
    @Ctx() { loaders }: Context,
  ): Promise<CreditsBySource[]> {
    return (await loaders.balances.load(userId)) ?? [];
  }

  @FieldResolver(() => [ExpiringCredits], {
    description: 'The points that expire within the given number of days, soonest first.',
  })
  expiring(
    @Root() { userId }: CreditsType,
    @Ctx() { app }: Context,
    @Arg('days', () => Int, {
      nullable: true,
      defaultValue: 30,
      description: 'The number of days to look ahead, 1 to 3,660. Default 30.',
    })
    days: number | null,
  ): Promise<ExpiringCredits[]> {
    return expiringCredits(app, userId, days);
  }

  @FieldResolver(() => Int, {
    description: 'The number of points that could be spent at a past instant.',
  })
  balanceAt(
    @Root() { userId }: CreditsType,
    @Ctx() { app }: Context,
    @Arg('at', () => Date, { description: 'The instant. Must not be in the future.' }) at: Date,
  ): Promise<number> {
    return balanceAt(app, userId, at);
  }
}

@Resolver(() => CreditLotType)
export class CreditLotResolver {
  @FieldResolver(() => CreditLotType, {
    nullable: true,
    description:
      'For a grace lot, the expired lot that it replaces: its points were refunded after that lot had expired. Null for other lots.',
  })
  parent(@Root() lot: LotView, @Ctx() { loaders }: Context): Promise<LotView | null> {
    return loaders.optional(loaders.lots, ledgerKeyOrNull(lot.userId, lot.parentLotId));
  }

  @FieldResolver(() => CreditTransactionConnection, {
    description: 'The transactions of this lot, newest first.',
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
    description:
      'The part of the transaction for each lot, in the order in which the lots were used.',
  })
  async allocations(
    @Root() entry: TransactionView,
    @Ctx() { loaders }: Context,
  ): Promise<AllocationView[]> {
    return must(loaders.allocations.load(ledgerKey(entry.userId, entry.seq)));
  }

  @FieldResolver(() => StoryType, {
    nullable: true,
    description:
      'The story of the narration. Null if the transaction does not belong to a narration.',
  })
  story(@Root() entry: TransactionView, @Ctx() { loaders }: Context): Promise<Story | null> {
    return loaders.optional(loaders.stories, entry.storyId);
  }

  @FieldResolver(() => AudioType, {
    nullable: true,
    description:
      'The narration that was paid for or refunded. Null if the transaction does not belong to a narration, or if the narration was erased with its account.',
  })
  audio(@Root() entry: TransactionView, @Ctx() { loaders }: Context): Promise<AudioView | null> {
    return loaders.optional(loaders.audios, ledgerKeyOrNull(entry.userId, entry.audioId));
  }

  @FieldResolver(() => CreditTransactionType, {
    nullable: true,
    description: 'For a REFUND, the DEBIT that it refunds. Null for other types.',
  })
  debit(
    @Root() entry: TransactionView,
    @Ctx() { loaders }: Context,
  ): Promise<TransactionView | null> {
    return loaders.transactionOf(entry.userId, entry.debitSeq);
  }

  @FieldResolver(() => UserType, {
    nullable: true,
    description:
      'The administrator who caused the transaction. Null if it was not caused by an administrator.',
  })
  actor(@Root() entry: TransactionView, @Ctx() { loaders }: Context): Promise<UserView | null> {
    return loaders.optional(loaders.users, entry.actorId);
  }

  @FieldResolver(() => String, {
    description:
      'The SHA-256 hash of the transaction, in hexadecimal. It includes the hash of the previous transaction, so that the history is a hash chain.',
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
