import { ArgsType, Field, InputType, ObjectType } from 'type-graphql';
import type { SignedIn } from '../../services/sessions/sessions.js';
import { TokenTransport } from '../enums.js';

@InputType('RegisterInput', { description: 'A new account.' })
export class RegisterInput {
  @Field(() => String, { description: 'Compared without regard to case.' })
  email!: string;

  @Field(() => String, { description: '8 to 256 characters, any characters.' })
  password!: string;

  @Field(() => String, { nullable: true, description: 'Up to 100 characters.' })
  displayName?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'What this device is called in the list of devices.',
  })
  deviceName?: string | null;

  @Field(() => TokenTransport, {
    nullable: true,
    defaultValue: 'BODY',
    description: 'How the refresh token should come.',
  })
  transport?: SignedIn['transport'] | null;
}

@InputType('LoginInput', { description: 'Who signs in.' })
export class LoginInput {
  @Field(() => String, { description: 'Compared without regard to case.' })
  email!: string;

  @Field(() => String, { description: 'The password.' })
  password!: string;

  @Field(() => String, {
    nullable: true,
    description: 'What this device is called in the list of devices.',
  })
  deviceName?: string | null;

  @Field(() => TokenTransport, {
    nullable: true,
    defaultValue: 'BODY',
    description: 'How the refresh token should come.',
  })
  transport?: SignedIn['transport'] | null;
}

@ObjectType('AuthPayload', { description: 'A device that is signed in now, and its tokens.' })
export class AuthPayload {
  @Field(() => String, { description: 'Send it as `Authorization: Bearer …`.' })
  accessToken!: string;

  @Field(() => Date, { description: 'Refresh before this instant.' })
  accessTokenExpiresAt!: Date;

  @Field(() => String, {
    nullable: true,
    description: 'For `refreshSession`, once. Null when the transport is COOKIE.',
  })
  refreshToken!: string | null;

  @Field(() => Date, {
    description: 'The device is signed out at this time unless the token is used before.',
  })
  refreshTokenExpiresAt!: Date;

  userId!: string;
  sessionId!: string;
}

@ArgsType()
export class ChangePasswordArgs {
  @Field(() => String, { description: 'The current password.' })
  currentPassword!: string;

  @Field(() => String, { description: 'The new password: 8 to 256 characters.' })
  newPassword!: string;
}
