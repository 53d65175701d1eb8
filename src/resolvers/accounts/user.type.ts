import { Field, Int, ObjectType } from 'type-graphql';
import type { UserView } from '../../services/accounts/people.js';
import type { SessionView } from '../../services/sessions/devices.js';
import { Role } from '../enums.js';
import { Node } from '../node.js';
import { connectionOf } from '../paging.js';

@ObjectType('User', {
  implements: Node,
  description:
    'A person. What is private is shown to that person, to administrators and to auditors only.',
})
export class UserType implements Omit<UserView, 'emailVerifiedAt' | 'suspendedAt'> {
  id!: string;

  @Field(() => String, { description: 'In lower case.' })
  email!: string;

  @Field(() => String, { nullable: true, description: 'What others may call them.' })
  displayName!: string | null;

  @Field(() => Role, { description: 'What they may do.' })
  role!: UserView['role'];

  @Field(() => Date, { description: 'When they signed up.' })
  createdAt!: Date;

  @Field(() => Int, {
    nullable: true,
    description: 'Monthly allowance of this user; null means the configured default.',
  })
  monthlyCredits!: number | null;
}

@ObjectType('Session', { implements: Node, description: 'A device that is signed in.' })
export class SessionType implements Omit<SessionView, 'userId'> {
  id!: string;

  @Field(() => String, {
    nullable: true,
    description: 'What the device called itself when it signed in.',
  })
  deviceName!: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'The browser or program, as of its last sign-in or refresh.',
  })
  userAgent!: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'The address it signed in or last refreshed from.',
  })
  ipAddress!: string | null;

  @Field(() => Date, { description: 'When it signed in.' })
  createdAt!: Date;

  @Field(() => Date, { description: 'When it signed in or last refreshed its tokens.' })
  lastUsedAt!: Date;

  @Field(() => Date, { description: 'When it is signed out, unless it is used before.' })
  expiresAt!: Date;

  userId!: string;
}

export const UserConnection = connectionOf('User', () => UserType);
