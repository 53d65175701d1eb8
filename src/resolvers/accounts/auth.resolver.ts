import { Arg, Args, Ctx, FieldResolver, ID, Int, Mutation, Resolver, Root } from 'type-graphql';
import { register, signIn } from '../../services/accounts/accounts.js';
import { changePassword } from '../../services/accounts/password.js';
import type { UserView } from '../../services/accounts/people.sql.js';
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
    description:
      'Creates an account with the initial points, signs this device in, and mails a link that confirms the e-mail address. EMAIL_TAKEN when the address already has an account.',
  })
  async register(
    @Ctx() context: Context,
    @Arg('input', () => RegisterInput, { description: 'The new account.' }) input: RegisterInput,
  ): Promise<AuthPayload> {
    const device = signingIn(context, input.transport);
    return deliver(context, await register(context.app, input, device));
  }

  @Mutation(() => AuthPayload, {
    description:
      'Signs this device in. INVALID_CREDENTIALS when the address or the password is wrong. ACCOUNT_SUSPENDED when the account is suspended.',
  })
  async login(
    @Ctx() context: Context,
    @Arg('input', () => LoginInput, { description: 'The credentials and the device.' })
    input: LoginInput,
  ): Promise<AuthPayload> {
    const device = signingIn(context, input.transport);
    return deliver(context, await signIn(context.app, input, device));
  }

  @Mutation(() => AuthPayload, {
    description:
      'Exchanges the refresh token for a new one and a new access token. For ten seconds the replaced token returns the same new one, as long as the new one is unused. Any other use of a replaced token is treated as theft: the device is signed out, and the error is REFRESH_TOKEN_REUSED. REFRESH_TOKEN_INVALID when the token is invalid or expired, or the device is signed out. The transport stays the one chosen at sign-in.',
  })
  async refreshSession(
    @Ctx() context: Context,
    @Arg('refreshToken', () => String, {
      nullable: true,
      description: 'The current refresh token. By default the one in the cookie.',
    })
    refreshToken?: string | null,
  ): Promise<AuthPayload> {
    return deliverSuccessor(context, refreshToken ?? null);
  }

  @Mutation(() => Boolean, {
    description:
      'Signs this device out and removes the cookie. The device is identified by the access token or the cookie; the cookie is sufficient when the access token has expired. Returns true.',
  })
  async logout(@Ctx() context: Context): Promise<boolean> {
    const { app, viewer, refreshCookie } = context;
    await signOut(app, { viewer, refreshToken: refreshCookie.read() });
    refreshCookie.clear();
    return true;
  }

  @Mutation(() => Boolean, {
    description:
      'Signs out one of your devices. Its access token is refused on every server within a second. Returns true. NOT_FOUND when the device is not signed in.',
  })
  async revokeSession(
    @Ctx() context: Context,
    @Arg('id', () => ID, { description: 'The id of the device, from `me { sessions { id } }`.' })
    id: string,
  ): Promise<boolean> {
    await revokeSession(context.app, signedIn(context), id);
    return true;
  }

  @Mutation(() => Int, {
    description: 'Signs out all your other devices. Returns the number of devices signed out.',
  })
  revokeOtherSessions(@Ctx() context: Context): Promise<number> {
    return revokeOtherSessions(context.app, signedIn(context));
  }

  @Mutation(() => AuthPayload, {
    description:
      'Changes your password and signs out all devices. This device gets a new session, so use the returned tokens from then on. INVALID_CREDENTIALS when the current password is wrong.',
  })
  async changePassword(
    @Ctx() context: Context,
    @Args(() => ChangePasswordArgs) args: ChangePasswordArgs,
  ): Promise<AuthPayload> {
    const { app, device } = context;
    return deliver(context, await changePassword(app, signedIn(context), args, device));
  }

  @FieldResolver(() => UserType, { description: 'The user who signed in.' })
  user(@Root() payload: AuthPayload, @Ctx() { loaders }: Context): Promise<UserView> {
    return must(loaders.users.load(payload.userId));
  }

  @FieldResolver(() => SessionType, { description: 'The device that signed in.' })
  session(@Root() payload: AuthPayload, @Ctx() { loaders }: Context): Promise<SessionView> {
    return must(loaders.sessions.load(ledgerKey(payload.userId, payload.sessionId)));
  }
}
