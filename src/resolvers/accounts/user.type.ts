import { Field, Int, ObjectType } from 'type-graphql';
import type { UserView } from '../../services/accounts/people.sql.js';
import type { SessionView } from '../../services/sessions/devices.js';
import { NoticeKind, Role } from '../enums.js';
import { Node } from '../node.js';
import { connectionOf } from '../paging.js';

@ObjectType('User', {
  implements: Node,
  description:
    'A user. Private fields can be read by the user, by administrators and by auditors. They are FORBIDDEN for others.',
})
export class UserType implements Omit<UserView, 'emailVerifiedAt' | 'suspendedAt'> {
  id!: string;

  @Field(() => String, { description: 'The e-mail address, in lower case.' })
  email!: string;

  @Field(() => String, {
    nullable: true,
    description: 'The name shown to others. Null when there is none.',
  })
  displayName!: string | null;

  @Field(() => String, { description: 'The language of mails to the user, as a BCP 47 tag.' })
  locale!: string;

  @Field(() => [NoticeKind], {
    description: 'The kinds of notices that are also mailed to the user.',
  })
  mailOn!: UserView['mailOn'];

  @Field(() => Role, { description: 'The role, which determines the user’s permissions.' })
  role!: UserView['role'];

  @Field(() => Date, { description: 'When the account was created.' })
  createdAt!: Date;

  @Field(() => Int, {
    nullable: true,
    description:
      'The monthly allowance of this user, in points. Null means the configured default.',
  })
  monthlyCredits!: number | null;
}

@ObjectType('Session', { implements: Node, description: 'A device that has signed in.' })
export class SessionType implements Omit<SessionView, 'userId'> {
  id!: string;

  @Field(() => String, {
    nullable: true,
    description: 'The name that the device gave when it signed in. Null when it gave none.',
  })
  deviceName!: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      'The `User-Agent` header of the last sign-in or refresh. Null when there was none.',
  })
  userAgent!: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'The IP address of the last sign-in or refresh. Null when it is unknown.',
  })
  ipAddress!: string | null;

  @Field(() => Date, { description: 'When the device signed in.' })
  createdAt!: Date;

  @Field(() => Date, { description: 'When the device signed in or last refreshed its tokens.' })
  lastUsedAt!: Date;

  @Field(() => Date, {
    description:
      'When the device is signed out. Each refresh postpones this, up to the maximum lifetime of a session.',
  })
  expiresAt!: Date;

  userId!: string;
}

export const UserConnection = connectionOf('User', () => UserType, { counted: true });
