import {
  Args,
  ArgsType,
  Ctx,
  Field,
  FieldResolver,
  ID,
  Mutation,
  Query,
  Resolver,
  Root,
} from 'type-graphql';
import {
  findUser,
  listUsers,
  updateProfile,
  type UserView,
} from '../../services/accounts/people.js';
import {
  listHistory,
  listLots,
  type LotView,
  type TransactionView,
} from '../../services/credits/credits.js';
import { listAudio, type AudioStatus, type AudioView } from '../../services/narrations/audios.js';
import { listSessions, type SessionView } from '../../services/sessions/devices.js';
import { AudioConnection } from '../audio/audio.type.js';
import { isCurrentSession, signedIn, type Context } from '../context.js';
import { CreditHistoryArgs, CreditLotsArgs } from '../credits/credits.input.js';
import {
  CreditLotConnection,
  CreditsType,
  CreditTransactionConnection,
} from '../credits/credits.type.js';
import { AudioStatus as AudioStatusEnum } from '../enums.js';
import { PageArgs, toConnection, type Connection } from '../paging.js';
import { SessionType, UserConnection, UserType } from './user.type.js';

@ArgsType()
class AudioArgs extends PageArgs {
  @Field(() => [AudioStatusEnum], {
    nullable: true,
    description: 'Only narrations of these statuses. A status that is repeated counts once.',
  })
  status?: readonly AudioStatus[] | null;
}

@ArgsType()
class UserArgs {
  @Field(() => ID, { nullable: true, description: 'Their id, or …' })
  id?: string | null;

  @Field(() => String, { nullable: true, description: '… their e-mail address: one of the two.' })
  email?: string | null;
}

@ArgsType()
class UsersArgs extends PageArgs {
  @Field(() => String, {
    nullable: true,
    description:
      'Only users whose e-mail address and name have all these words or parts of words, whatever their order, case and marks.',
  })
  search?: string | null;
}

@ArgsType()
class ProfileArgs {
  @Field(() => String, {
    nullable: true,
    description:
      'Your display name, up to 100 characters; null removes it. When left out, it stays as it is.',
  })
  displayName?: string | null;
}

@Resolver(() => UserType)
export class UserResolver {
  @Query(() => UserType, {
    nullable: true,
    description: 'The signed-in user; null when nobody is signed in.',
  })
  me(@Ctx() { viewer, loaders }: Context): Promise<UserView | null> {
    return loaders.optional(loaders.users, viewer?.userId ?? null);
  }

  @Query(() => UserType, {
    nullable: true,
    description: 'Anyone, by their id or their e-mail address. Administrators and auditors only.',
  })
  user(@Ctx() { app }: Context, @Args(() => UserArgs) args: UserArgs): Promise<UserView> {
    return findUser(app, args);
  }

  @Query(() => UserConnection, {
    description: 'Everyone, newest first. Administrators and auditors only.',
  })
  async users(
    @Ctx() { app }: Context,
    @Args(() => UsersArgs) args: UsersArgs,
  ): Promise<Connection<UserView>> {
    return toConnection(await listUsers(app, args));
  }

  @Mutation(() => UserType, { description: 'Changes your profile.' })
  updateProfile(
    @Ctx() context: Context,
    @Args(() => ProfileArgs) args: ProfileArgs,
  ): Promise<UserView> {
    return updateProfile(context.app, signedIn(context).userId, args);
  }

  @FieldResolver(() => Boolean, { description: 'Whether the address was confirmed.' })
  emailVerified(@Root() user: UserView): boolean {
    return user.emailVerifiedAt !== null;
  }

  @FieldResolver(() => Boolean, { description: 'Whether an administrator has locked them out.' })
  suspended(@Root() user: UserView): boolean {
    return user.suspendedAt !== null;
  }

  @FieldResolver(() => CreditsType, { description: 'The wallet.' })
  credits(@Root() user: UserView): CreditsType {
    return { userId: user.id };
  }

  @FieldResolver(() => CreditLotConnection, {
    description: 'Newest first. Every lot the user ever had.',
  })
  async creditLots(
    @Root() user: UserView,
    @Ctx() { app }: Context,
    @Args(() => CreditLotsArgs) args: CreditLotsArgs,
  ): Promise<Connection<LotView>> {
    return toConnection(await listLots(app, user.id, args));
  }

  @FieldResolver(() => CreditTransactionConnection, {
    description: 'Newest first. Every movement of the user’s points.',
  })
  async creditHistory(
    @Root() user: UserView,
    @Ctx() { app }: Context,
    @Args(() => CreditHistoryArgs) args: CreditHistoryArgs,
  ): Promise<Connection<TransactionView>> {
    return toConnection(await listHistory(app, user.id, args));
  }

  @FieldResolver(() => AudioConnection, {
    description: 'Newest first. Every narration the user asked for.',
  })
  async audio(
    @Root() user: UserView,
    @Ctx() { app }: Context,
    @Args(() => AudioArgs) args: AudioArgs,
  ): Promise<Connection<AudioView>> {
    return toConnection(await listAudio(app, user.id, args));
  }

  @FieldResolver(() => [SessionType], {
    description: 'The devices that are signed in, most recently used first.',
  })
  sessions(@Root() user: UserView, @Ctx() { app }: Context): Promise<SessionView[]> {
    return listSessions(app, user.id);
  }
}

@Resolver(() => SessionType)
export class SessionResolver {
  @FieldResolver(() => Boolean, { description: 'Whether this is the device that asks.' })
  current(@Root() session: SessionView, @Ctx() context: Context): boolean {
    return isCurrentSession(context, session);
  }
}
