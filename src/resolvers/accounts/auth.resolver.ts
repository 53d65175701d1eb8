import { Arg, Args, Ctx, FieldResolver, ID, Int, Mutation, Resolver, Root } from 'type-graphql';
import { register, signIn } from '../../services/accounts/accounts.js';
import { changePassword } from '../../services/accounts/password.js';
import type { UserView } from '../../services/accounts/people.js';
import { ledgerKey } from '../../services/credits/credits.js';
import {
  revokeOtherSessions,
  revokeSession,
  type SessionView,
} from '../../services/sessions/devices.js';
import { signOut } from '../../services/sessions/sessions.js';
import { signedIn, type Context } from '../context.js';
import { must } from '../loaders.js';
import { AuthPayload, ChangePasswordArgs, LoginInput, RegisterInput } from './auth.type.js';
import { deliver, deliverSuccessor, signingIn } from './deliver.js';
import { SessionType, UserType } from './user.type.js';

@Resolver(() => AuthPayload)
export class AuthResolver {
  @Mutation(() => AuthPayload, {
    description: 'Creates an account, with points to begin with, and signs this device in.',
  })
  async register(
    @Ctx() context: Context,
    @Arg('input', () => RegisterInput, { description: 'The account.' }) input: RegisterInput,
  ): Promise<AuthPayload> {
    const device = signingIn(context, input.transport);
    return deliver(context, await register(context.app, input, device));
  }

  @Mutation(() => AuthPayload, { description: 'Signs this device in.' })
  async login(
    @Ctx() context: Context,
    @Arg('input', () => LoginInput, { description: 'Who signs in.' }) input: LoginInput,
  ): Promise<AuthPayload> {
    const device = signingIn(context, input.transport);
    return deliver(context, await signIn(context.app, input, device));
  }

  @Mutation(() => AuthPayload, {
    description:
      'Replaces the refresh token and gives a fresh access token. The old refresh token gets the same answer for ten seconds; using it later counts as theft, and the device is signed out: REFRESH_TOKEN_REUSED. The new token comes the same way as when the device signed in.',
  })
  async refreshSession(
    @Ctx() context: Context,
    @Arg('refreshToken', () => String, {
      nullable: true,
      description: 'Without it, the cookie is used.',
    })
    refreshToken?: string | null,
  ): Promise<AuthPayload> {
    return deliverSuccessor(context, refreshToken ?? null);
  }

  @Mutation(() => Boolean, {
    description:
      'Signs this device out: that of the access token or, when it has expired, that of the cookie.',
  })
  async logout(@Ctx() context: Context): Promise<boolean> {
    const { app, viewer, refreshCookie } = context;
    await signOut(app, { viewer, refreshToken: refreshCookie.read() });
    refreshCookie.clear();
    return true;
  }

  @Mutation(() => Boolean, {
    description:
      'Signs one of your devices out, on every server within a second. Returns true; NOT_FOUND when it was not signed in.',
  })
  async revokeSession(
    @Ctx() context: Context,
    @Arg('id', () => ID, { description: 'The device, from `me { sessions { id } }`.' }) id: string,
  ): Promise<boolean> {
    await revokeSession(context.app, signedIn(context), id);
    return true;
  }

  @Mutation(() => Int, {
    description: 'Signs all your other devices out. Returns how many.',
  })
  revokeOtherSessions(@Ctx() context: Context): Promise<number> {
    return revokeOtherSessions(context.app, signedIn(context));
  }

  @Mutation(() => AuthPayload, {
    description:
      'Changes your password. Every device is signed out, and this one is signed in anew: use the tokens that come back.',
  })
  async changePassword(
    @Ctx() context: Context,
    @Args(() => ChangePasswordArgs) args: ChangePasswordArgs,
  ): Promise<AuthPayload> {
    const { app, device } = context;
    return deliver(context, await changePassword(app, signedIn(context), args, device));
  }

  @FieldResolver(() => UserType, { description: 'Who signed in.' })
  user(@Root() payload: AuthPayload, @Ctx() { loaders }: Context): Promise<UserView> {
    return must(loaders.users.load(payload.userId));
  }

  @FieldResolver(() => SessionType, { description: 'The device.' })
  session(@Root() payload: AuthPayload, @Ctx() { loaders }: Context): Promise<SessionView> {
    return must(loaders.sessions.load(ledgerKey(payload.userId, payload.sessionId)));
  }
}
