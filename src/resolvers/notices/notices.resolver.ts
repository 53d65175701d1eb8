import { Arg, Args, Ctx, FieldResolver, ID, Int, Mutation, Resolver, Root } from 'type-graphql';
import { updateSettings } from '../../services/accounts/people.js';
import type { UserView } from '../../services/accounts/people.sql.js';
import { ledgerKeyOrNull, type TransactionView } from '../../services/credits/credits.js';
import type { AudioView } from '../../services/narrations/audios.js';
import {
  countUnread,
  listNotices,
  markNoticesRead,
  type NoticeView,
} from '../../services/notices/notices.js';
import { UserType } from '../accounts/user.type.js';
import { AudioType } from '../audio/audio.type.js';
import { signedIn, type Context } from '../context.js';
import { CreditTransactionType } from '../credits/credits.type.js';
import { PageArgs, toConnection } from '../paging.js';
import { NoticeConnection, NoticeType, SettingsArgs, type NoticePage } from './notice.type.js';

@Resolver(() => UserType)
export class NoticesResolver {
  @FieldResolver(() => NoticeConnection, {
    description: 'What the user was told, newest first. Notices are deleted after ninety days.',
  })
  async notices(
    @Root() { id: userId }: UserView,
    @Ctx() { app }: Context,
    @Args(() => PageArgs) args: PageArgs,
  ): Promise<NoticePage> {
    return { ...toConnection(await listNotices(app, userId, args)), userId };
  }

  @Mutation(() => Int, {
    description:
      'Marks one of your notices and all older ones as read. Returns the number of notices that were unread. NOT_FOUND for any other id.',
  })
  markNoticesRead(
    @Ctx() context: Context,
    @Arg('upTo', () => ID, { description: 'The id of the newest notice that you have seen.' })
    upTo: string,
  ): Promise<number> {
    return markNoticesRead(context.app, signedIn(context).userId, upTo);
  }

  @Mutation(() => UserType, { description: 'Changes your settings.' })
  updateSettings(
    @Ctx() context: Context,
    @Args(() => SettingsArgs) args: SettingsArgs,
  ): Promise<UserView> {
    return updateSettings(context.app, signedIn(context).userId, args);
  }
}

@Resolver(() => NoticeConnection)
export class NoticeConnectionResolver {
  @FieldResolver(() => Int, {
    description:
      'The number of unread notices. At most 10,000 are counted: 10,001 means that there are more.',
  })
  unread(@Root() { userId }: NoticePage, @Ctx() { app }: Context): Promise<number> {
    return countUnread(app, userId);
  }
}

@Resolver(() => NoticeType)
export class NoticeResolver {
  @FieldResolver(() => AudioType, {
    nullable: true,
    description:
      'The narration, for NARRATION_READY and NARRATION_FAILED. Null for other kinds, and after it was deleted.',
  })
  audio(
    @Root() { userId, audioId }: NoticeView,
    @Ctx() { loaders }: Context,
  ): Promise<AudioView | null> {
    return loaders.optional(loaders.audios, ledgerKeyOrNull(userId, audioId));
  }

  @FieldResolver(() => CreditTransactionType, {
    nullable: true,
    description:
      'The GRANT for POINTS_GRANTED, and the DEBIT for POINTS_LOW. Null for other kinds.',
  })
  transaction(
    @Root() { userId, seq }: NoticeView,
    @Ctx() { loaders }: Context,
  ): Promise<TransactionView | null> {
    return loaders.transactionOf(userId, seq);
  }
}
