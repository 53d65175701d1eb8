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
import { findUser, listUsers, updateProfile } from '../../services/accounts/people.js';
import type { UserView } from '../../services/accounts/people.sql.js';
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
    description: 'Only narrations with these statuses. Repeated statuses count once.',
  })
  status?: readonly AudioStatus[] | null;
}

@ArgsType()
class UserArgs {
  @Field(() => ID, {
    nullable: true,
    description: 'The id of the user. Give either `id` or `email`.',
  })
  id?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'The e-mail address of the user. Case is ignored. Give either `id` or `email`.',
  })
  email?: string | null;
}

@ArgsType()
class UsersArgs extends PageArgs {
  @Field(() => String, {
    nullable: true,
    description:
      'Only users with all of these words in their e-mail address and display name taken together. A word also matches a part of a longer word. Order, case and diacritics are ignored. Up to 200 characters.',
  })
  search?: string | null;
}

@ArgsType()
class ProfileArgs {
  @Field(() => String, {
    nullable: true,
    description:
      'Your display name, up to 100 characters. Null removes it. It is unchanged when left out.',
  })
  displayName?: string | null;
}

@Resolver(() => UserType)
export class UserResolver {
  @Query(() => UserType, {
    nullable: true,
    description:
      'The signed-in user. Null without an access token. UNAUTHENTICATED when the access token is invalid or expired.',
  })
  me(@Ctx() { viewer, loaders }: Context): Promise<UserView | null> {
    return loaders.optional(loaders.users, viewer?.userId ?? null);
  }

  @Query(() => UserType, {
    nullable: true,
    description:
      'A user, by id or e-mail address. NOT_FOUND when there is none. Administrators and auditors only.',
  })
  user(@Ctx() { app }: Context, @Args(() => UserArgs) args: UserArgs): Promise<UserView> {
    return findUser(app, args);
  }

  @Query(() => UserConnection, {
    description: 'All users, newest first. Administrators and auditors only.',
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

  @FieldResolver(() => Boolean, {
    description: 'Whether the user has confirmed the e-mail address.',
  })
  emailVerified(@Root() user: UserView): boolean {
    return user.emailVerifiedAt !== null;
  }

  @FieldResolver(() => String, {
    nullable: true,
    description:
      'The new e-mail address, until the link that was mailed to it is opened. Null when no change is pending.',
  })
  async pendingEmail(
    @Root() { id }: UserView,
    @Ctx() { loaders }: Context,
  ): Promise<string | null> {
    return (await loaders.pendingEmails.load(id)) ?? null;
  }

  @FieldResolver(() => Boolean, { description: 'Whether an administrator has suspended the user.' })
  suspended(@Root() user: UserView): boolean {
    return user.suspendedAt !== null;
  }

  @FieldResolver(() => CreditsType, { description: 'The points of the user at this moment.' })
  credits(@Root() user: UserView): CreditsType {
    return { userId: user.id };
  }

  @FieldResolver(() => CreditLotConnection, {
    description:
      'All lots of the user, newest first, including exhausted, expired and revoked ones.',
  })
  async creditLots(
    @Root() user: UserView,
    @Ctx() { app }: Context,
    @Args(() => CreditLotsArgs) args: CreditLotsArgs,
  ): Promise<Connection<LotView>> {
    return toConnection(await listLots(app, user.id, args));
  }

  @FieldResolver(() => CreditTransactionConnection, {
    description: 'All transactions of the user’s points, newest first.',
  })
  async creditHistory(
    @Root() user: UserView,
    @Ctx() { app }: Context,
    @Args(() => CreditHistoryArgs) args: CreditHistoryArgs,
  ): Promise<Connection<TransactionView>> {
    return toConnection(await listHistory(app, user.id, args));
  }

  @FieldResolver(() => AudioConnection, {
    description: 'All narrations that the user requested, newest first.',
  })
  async audio(
    @Root() user: UserView,
    @Ctx() { app }: Context,
    @Args(() => AudioArgs) args: AudioArgs,
  ): Promise<Connection<AudioView>> {
    return toConnection(await listAudio(app, user.id, args));
  }

  @FieldResolver(() => [SessionType], {
    description: 'The signed-in devices, most recently used first. At most 100.',
  })
  sessions(@Root() user: UserView, @Ctx() { app }: Context): Promise<SessionView[]> {
    return listSessions(app, user.id);
  }
}

@Resolver(() => SessionType)
export class SessionResolver {
  @FieldResolver(() => Boolean, {
    description: 'Whether this is the device that sent the request.',
  })
  current(@Root() session: SessionView, @Ctx() context: Context): boolean {
    return isCurrentSession(context, session);
  }
}
