import { GraphQLJSONObject } from 'graphql-scalars';
import {
  Args,
  ArgsType,
  Ctx,
  Field,
  FieldResolver,
  ID,
  Mutation,
  ObjectType,
  Query,
  Resolver,
  Root,
} from 'type-graphql';
import {
  reinstateUser,
  setUserRole,
  suspendUser,
  type AdministerInput,
} from '../../services/accounts/administration.js';
import type { UserView } from '../../services/accounts/people.js';
import { listAudit, type AuditEntry, type AuditFilter } from '../../services/audit.js';
import { signedIn, type Context } from '../context.js';
import { Role } from '../enums.js';
import { Node } from '../node.js';
import { connectionOf, PageArgs, toConnection, type Connection } from '../paging.js';
import { UserType } from './user.type.js';

@ArgsType()
class AdministerArgs implements AdministerInput {
  @Field(() => ID, { description: 'Whom.' })
  userId!: string;

  @Field(() => String, { description: 'Why, for the audit log. 1 to 500 characters.' })
  reason!: string;
}

@ArgsType()
class SetUserRoleArgs extends AdministerArgs {
  @Field(() => Role, { description: 'The new role.' })
  role!: UserView['role'];
}

@ArgsType()
class AuditLogArgs extends PageArgs implements AuditFilter {
  @Field(() => ID, { nullable: true, description: 'Only what this user did.' })
  actorId?: string | null;

  @Field(() => [String], {
    nullable: true,
    description:
      'Only these mutations or commands, by their names. A name that is repeated counts once.',
  })
  action?: string[] | null;

  @Field(() => ID, { nullable: true, description: 'Only what was done to what has this id.' })
  target?: string | null;

  @Field(() => Date, {
    nullable: true,
    description: 'Only what was done at or after this instant.',
  })
  from?: Date | null;

  @Field(() => Date, { nullable: true, description: 'Only what was done before this instant.' })
  to?: Date | null;
}

@ObjectType('AuditEntry', {
  implements: Node,
  description:
    'Something that an administrator did, or that touched someone’s security. Nothing can change it.',
})
export class AuditEntryType implements Omit<AuditEntry, 'actorId'> {
  id!: string;

  @Field(() => Date, { description: 'When.' })
  at!: Date;

  @Field(() => String, { description: 'The name of the mutation or command.' })
  action!: string;

  @Field(() => String, { nullable: true, description: 'The id of what it was done to.' })
  target!: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'Why, in their words; null where nobody is asked for it.',
  })
  reason!: string | null;

  @Field(() => GraphQLJSONObject, {
    nullable: true,
    description:
      'What changed: `from` and `to` of a changed value, or amounts, counts and ids; null where nothing changed, and for entries of before this was noted.',
  })
  details!: AuditEntry['details'];

  actorId!: string | null;
}

const AuditEntryConnection = connectionOf('AuditEntry', () => AuditEntryType);

@Resolver()
export class AdministrationResolver {
  @Mutation(() => UserType, {
    description:
      'Locks someone out, on every server within a second. Their points stay. Administrators only.',
  })
  suspendUser(
    @Ctx() context: Context,
    @Args(() => AdministerArgs) args: AdministerArgs,
  ): Promise<UserView> {
    return suspendUser(context.app, args, signedIn(context).userId);
  }

  @Mutation(() => UserType, {
    description: 'Lets someone in again who was suspended. Administrators only.',
  })
  reinstateUser(
    @Ctx() context: Context,
    @Args(() => AdministerArgs) args: AdministerArgs,
  ): Promise<UserView> {
    return reinstateUser(context.app, args, signedIn(context).userId);
  }

  @Mutation(() => UserType, {
    description:
      'Makes someone an administrator or an auditor, or takes that role away; the last administrator keeps it. Administrators only.',
  })
  setUserRole(
    @Ctx() context: Context,
    @Args(() => SetUserRoleArgs) args: SetUserRoleArgs,
  ): Promise<UserView> {
    return setUserRole(context.app, args, signedIn(context).userId);
  }

  @Query(() => AuditEntryConnection, {
    description:
      'What administrators did and what touched people’s security, newest first. Administrators and auditors only.',
  })
  async auditLog(
    @Ctx() { app }: Context,
    @Args(() => AuditLogArgs) args: AuditLogArgs,
  ): Promise<Connection<AuditEntry>> {
    return toConnection(await listAudit(app, args));
  }
}

@Resolver(() => AuditEntryType)
export class AuditEntryResolver {
  @FieldResolver(() => UserType, {
    nullable: true,
    description: 'Who did it; null for the command line. A deleted account has no name any more.',
  })
  actor(@Root() { actorId }: AuditEntry, @Ctx() { loaders }: Context): Promise<UserView | null> {
    return loaders.optional(loaders.users, actorId);
  }
}
