import { Arg, Args, ArgsType, Ctx, Field, Mutation, Resolver } from 'type-graphql';
import { deleteAccount } from '../../services/accounts/deletion/deletion.js';
import { changeEmail } from '../../services/accounts/email-change/email-change.js';
import { exportData } from '../../services/accounts/export/data-export.js';
import { requestPasswordReset, resetPassword } from '../../services/accounts/recovery.js';
import { resendVerification, confirmEmail } from '../../services/accounts/verification.js';
import type { StatementFile } from '../../services/accounting/period-statement.js';
import { StatementFileType } from '../accounting/statement.type.js';
import { signedIn, type Context } from '../context.js';

@ArgsType()
class ResetPasswordArgs {
  @Field(() => String, {
    description:
      'The token from the mailed link `/reset?token=…`. It is single-use and expires after one hour.',
  })
  token!: string;

  @Field(() => String, {
    description: 'The new password, 8 to 256 characters. The most common passwords are refused.',
  })
  newPassword!: string;
}

@ArgsType()
class ChangeEmailArgs {
  @Field(() => String, { description: 'The new e-mail address. Case is ignored.' })
  newEmail!: string;

  @Field(() => String, { description: 'Your current password, as confirmation.' })
  password!: string;
}

@Resolver()
export class AccountResolver {
  @Mutation(() => Boolean, {
    description:
      'Mails a link that sets a new password: `/reset?token=…`. The link is single-use and expires after one hour. Returns true whether or not the address has an account, because the answer must not reveal accounts.',
  })
  async requestPasswordReset(
    @Ctx() { app }: Context,
    @Arg('email', () => String, {
      description: 'The e-mail address of the account. Case is ignored.',
    })
    email: string,
  ): Promise<boolean> {
    await requestPasswordReset(app, { email });
    return true;
  }

  @Mutation(() => Boolean, {
    description:
      'Sets a new password with the token from a mailed link, and confirms the e-mail address. All devices are signed out. Returns true. TOKEN_INVALID when the token is invalid, used or expired.',
  })
  async resetPassword(
    @Ctx() { app }: Context,
    @Args(() => ResetPasswordArgs) args: ResetPasswordArgs,
  ): Promise<boolean> {
    await resetPassword(app, args);
    return true;
  }

  @Mutation(() => Boolean, {
    description:
      'Confirms an e-mail address with the token from a mailed link. The link of `changeEmail` also makes the new address that of the account. Returns true. TOKEN_INVALID when the token is invalid, used or expired. EMAIL_TAKEN when another account now has the new address.',
  })
  async verifyEmail(
    @Ctx() { app }: Context,
    @Arg('token', () => String, {
      description:
        'The token from the mailed link `/verify?token=…`. It is single-use and expires after 24 hours.',
    })
    token: string,
  ): Promise<boolean> {
    await confirmEmail(app, token);
    return true;
  }

  @Mutation(() => Boolean, {
    description:
      'Mails another link that confirms your e-mail address. Does nothing if the address is already confirmed. Returns true in both cases.',
  })
  async resendVerification(@Ctx() context: Context): Promise<boolean> {
    await resendVerification(context.app, signedIn(context).userId);
    return true;
  }

  @Mutation(() => Boolean, {
    description:
      'Mails a link to a new e-mail address, and a notice to your present one. Nothing changes until the link is opened: `/verify?token=…`, which is single-use and expires after 24 hours. Your devices stay signed in. A second request replaces the first, and a change of the password cancels it. Returns true even if another account has the address, because the answer must not reveal accounts. In that case no link is mailed. INVALID_CREDENTIALS when the password is wrong.',
  })
  async changeEmail(
    @Ctx() context: Context,
    @Args(() => ChangeEmailArgs) args: ChangeEmailArgs,
  ): Promise<boolean> {
    await changeEmail(context.app, signedIn(context), args);
    return true;
  }

  @Mutation(() => StatementFileType, {
    description:
      'Makes an archive of everything that is stored about you: one JSON file, at a signed address for a day. The address answers 202 with Retry-After until a job has made the file. A request within an hour of another one gets the same archive. INVALID_CREDENTIALS when the password is wrong.',
  })
  exportMyData(
    @Ctx() context: Context,
    @Arg('password', () => String, { description: 'Your current password, as confirmation.' })
    password: string,
  ): Promise<StatementFile> {
    return exportData(context.app, signedIn(context), { password });
  }

  @Mutation(() => Boolean, {
    description:
      'Deletes your account permanently. All devices are signed out, your points are forfeited, and your narrations are erased. Returns true. INVALID_CREDENTIALS when the password is wrong. CONFLICT for the last administrator.',
  })
  async deleteAccount(
    @Ctx() context: Context,
    @Arg('password', () => String, { description: 'Your current password, as confirmation.' })
    password: string,
  ): Promise<boolean> {
    await deleteAccount(context.app, signedIn(context), { password });
    context.refreshCookie.clear();
    return true;
  }
}
