import { Arg, Args, ArgsType, Ctx, Field, Mutation, Resolver } from 'type-graphql';
import { deleteAccount } from '../../services/accounts/leaving/deletion.js';
import { requestPasswordReset, resetPassword } from '../../services/accounts/recovery.js';
import { resendVerification, verifyEmail } from '../../services/accounts/verification.js';
import { signedIn, type Context } from '../context.js';

@ArgsType()
class ResetPasswordArgs {
  @Field(() => String, { description: 'The token in the link that was mailed.' })
  token!: string;

  @Field(() => String, { description: 'The new password: 8 to 256 characters.' })
  newPassword!: string;
}

@Resolver()
export class AccountResolver {
  @Mutation(() => Boolean, {
    description:
      'Mails a link to `/reset?token=…`, good once, for an hour. Always returns true, whether or not the address is known.',
  })
  async requestPasswordReset(
    @Ctx() { app }: Context,
    @Arg('email', () => String, { description: 'The address of the account.' }) email: string,
  ): Promise<boolean> {
    await requestPasswordReset(app, { email });
    return true;
  }

  @Mutation(() => Boolean, {
    description: 'Sets a new password with a mailed token. Every device is signed out.',
  })
  async resetPassword(
    @Ctx() { app }: Context,
    @Args(() => ResetPasswordArgs) args: ResetPasswordArgs,
  ): Promise<boolean> {
    await resetPassword(app, args);
    return true;
  }

  @Mutation(() => Boolean, {
    description: 'Confirms your address with the token that was mailed to it when you signed up.',
  })
  async verifyEmail(
    @Ctx() { app }: Context,
    @Arg('token', () => String, {
      description: 'The token in the link to `/verify?token=…`, good once, for 24 hours.',
    })
    token: string,
  ): Promise<boolean> {
    await verifyEmail(app, token);
    return true;
  }

  @Mutation(() => Boolean, {
    description: 'Mails the link that confirms your address once more, unless it is confirmed.',
  })
  async resendVerification(@Ctx() context: Context): Promise<boolean> {
    await resendVerification(context.app, signedIn(context).userId);
    return true;
  }

  @Mutation(() => Boolean, {
    description:
      'Deletes your account for good: you are signed out everywhere, your points are forfeited, your narrations are erased.',
  })
  async deleteAccount(
    @Ctx() context: Context,
    @Arg('password', () => String, { description: 'Your password, to be sure it is you.' })
    password: string,
  ): Promise<boolean> {
    await deleteAccount(context.app, signedIn(context), { password });
    context.refreshCookie.clear();
    return true;
  }
}
