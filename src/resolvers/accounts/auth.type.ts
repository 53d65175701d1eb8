import { ArgsType, Field, InputType, ObjectType } from 'type-graphql';
import type { Registration } from '../../services/accounts/accounts.js';
import type { SignedIn } from '../../services/sessions/sessions.js';
import { TokenTransport } from '../enums.js';

@InputType('RegisterInput', { description: 'A new account.' })
export class RegisterInput implements Registration {
  @Field(() => String, { description: 'The e-mail address. Case is ignored.' })
  email!: string;

  @Field(() => String, {
    description: 'The password, 8 to 256 characters. The most common passwords are refused.',
  })
  password!: string;

  @Field(() => String, {
    nullable: true,
    description: 'The name shown to others, up to 100 characters. None by default.',
  })
  displayName?: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      'The name of this device in the list of devices, up to 100 characters. None by default.',
  })
  deviceName?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'The language of mails to you, as a BCP 47 tag. English by default.',
  })
  locale?: string | null;

  @Field(() => TokenTransport, {
    nullable: true,
    defaultValue: 'BODY',
    description: 'How the refresh token is delivered. BODY by default.',
  })
  transport?: SignedIn['transport'] | null;
}

@InputType('LoginInput', { description: 'The credentials of a user and the device that signs in.' })
export class LoginInput {
  @Field(() => String, { description: 'The e-mail address. Case is ignored.' })
  email!: string;

  @Field(() => String, { description: 'The password.' })
  password!: string;

  @Field(() => String, {
    nullable: true,
    description:
      'The name of this device in the list of devices, up to 100 characters. None by default.',
  })
  deviceName?: string | null;

  @Field(() => TokenTransport, {
    nullable: true,
    defaultValue: 'BODY',
    description: 'How the refresh token is delivered. BODY by default.',
  })
  transport?: SignedIn['transport'] | null;
}

@ObjectType('AuthPayload', {
  description: 'The tokens of a device that has signed in or refreshed its tokens.',
})
export class AuthPayload {
  @Field(() => String, {
    description: 'The access token, for the request header `Authorization: Bearer <token>`.',
  })
  accessToken!: string;

  @Field(() => Date, {
    description: 'When the access token expires. Call `refreshSession` before then.',
  })
  accessTokenExpiresAt!: Date;

  @Field(() => String, {
    nullable: true,
    description:
      'The single-use refresh token for `refreshSession`. Null when the transport is COOKIE, because the cookie has the token.',
  })
  refreshToken!: string | null;

  @Field(() => Date, {
    description:
      'When the refresh token expires and the device is signed out. The token must be used before then.',
  })
  refreshTokenExpiresAt!: Date;

  userId!: string;
  sessionId!: string;
}

@ArgsType()
export class ChangePasswordArgs {
  @Field(() => String, { description: 'The current password.' })
  currentPassword!: string;

  @Field(() => String, {
    description: 'The new password, 8 to 256 characters. The most common passwords are refused.',
  })
  newPassword!: string;
}
