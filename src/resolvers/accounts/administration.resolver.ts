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
import type { UserView } from '../../services/accounts/people.sql.js';
import { listAudit, type AuditEntry, type AuditFilter } from '../../services/audit.js';
import { signedIn, type Context } from '../context.js';
import { Role } from '../enums.js';
import { Node } from '../node.js';
import { connectionOf, PageArgs, toConnection, type Connection } from '../paging.js';
import { UserType } from './user.type.js';

@ArgsType()
class AdministerArgs implements AdministerInput {
  @Field(() => ID, { description: 'The id of the user.' })
  userId!: string;

  @Field(() => String, { description: 'The reason, for the audit log. 1 to 500 characters.' })
  reason!: string;
}

@ArgsType()
class SetUserRoleArgs extends AdministerArgs {
  @Field(() => Role, { description: 'The new role.' })
  role!: UserView['role'];
}

@ArgsType()
class AuditLogArgs extends PageArgs implements AuditFilter {
  @Field(() => ID, { nullable: true, description: 'Only actions of the user with this id.' })
  actorId?: string | null;

  @Field(() => [String], {
    nullable: true,
    description:
      'Only entries with these names; `AuditEntry.action` lists them. Repeated names count once.',
  })
  action?: string[] | null;

  @Field(() => ID, {
    nullable: true,
    description: 'Only actions on this target: see `AuditEntry.target`.',
  })
  target?: string | null;

  @Field(() => Date, {
    nullable: true,
    description: 'Only entries at or after this instant.',
  })
  from?: Date | null;

  @Field(() => Date, { nullable: true, description: 'Only entries before this instant.' })
  to?: Date | null;
}

@ObjectType('AuditEntry', {
  implements: Node,
  description:
    'An entry of the audit log: an action of an administrator or of the operator, an action that concerns the security of an account, or a read of another user’s private data by an administrator or an auditor. Entries are never changed or deleted.',
})
export class AuditEntryType implements Omit<AuditEntry, 'actorId'> {
  id!: string;

  @Field(() => Date, { description: 'When the action was performed.' })
  at!: Date;

  @Field(() => String, {
    description:
      'The name of the action. Mutations of administrators: `approveProposal`, `bulkGrantCredits`, `createStory`, `declineProposal`, `deleteStory`, `grantCredits`, `redriveJobs`, `refundAudio`, `reinstateUser`, `revokeBulkGrant`, `revokeCreditLot`, `runMaintenance`, `setMonthlyCredits`, `setUserRole`, `suspendUser`, `updateStory`. Mutations of users on their own account: `changePassword`, `deleteAccount`, `resetPassword`, `revokeOtherSessions`, `revokeSession`, `verifyEmail`. Events: `proposeGrant` (a grant was stored as a proposal), `readUser` (private data was read), `refreshTokenReused` (a device was signed out), `createAdministrator` (the first administrator was created), `repairLot` (the server set the remaining points of a lot to the sum of its allocations), `anchor` (a signed statement of the ledger was made), `ANCHOR_PRIVATE_KEYS` (a stored anchor key was retired, because this variable is set). Commands of the operator: `keys replace`, `keys replace-addresses`, `keys rotate`, `keys rotate-addresses`, `keys rotate-anchor`, `ledger close-month`, `ledger journal` (the journal of a closed month was made), `ledger verify --repair`.',
  })
  action!: string;

  @Field(() => String, {
    nullable: true,
    description:
      'The target of the action, usually the id of a user, device, story, narration, lot or proposal. Otherwise: the idempotency key of a bulk grant, the queue of `redriveJobs`, the task of `runMaintenance`, the month of `ledger close-month` and `ledger journal`, or the id of a key or an anchor.',
  })
  target!: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'The reason for the action. Null for actions that take no reason.',
  })
  reason!: string | null;

  @Field(() => GraphQLJSONObject, {
    nullable: true,
    description:
      'The changes: `from` and `to` of a changed value, or amounts, counts and ids. Null when nothing changed, when the result was not known yet (`runMaintenance`), and in entries of releases that did not record changes.',
  })
  details!: AuditEntry['details'];

  actorId!: string | null;
}

const AuditEntryConnection = connectionOf('AuditEntry', () => AuditEntryType, { counted: true });

@Resolver()
export class AdministrationResolver {
  @Mutation(() => UserType, {
    description:
      'Suspends a user: they cannot sign in, and their access tokens are refused on every server within a second. Their points and narrations are kept. CONFLICT for the last administrator. Administrators only.',
  })
  suspendUser(
    @Ctx() context: Context,
    @Args(() => AdministerArgs) args: AdministerArgs,
  ): Promise<UserView> {
    return suspendUser(context.app, args, signedIn(context).userId);
  }

  @Mutation(() => UserType, {
    description:
      'Lifts the suspension of a user. Devices that were signed in before can be used again. Administrators only.',
  })
  reinstateUser(
    @Ctx() context: Context,
    @Args(() => AdministerArgs) args: AdministerArgs,
  ): Promise<UserView> {
    return reinstateUser(context.app, args, signedIn(context).userId);
  }

  @Mutation(() => UserType, {
    description:
      'Sets the role of a user. CONFLICT when it would leave no administrator who is not suspended. Administrators only.',
  })
  setUserRole(
    @Ctx() context: Context,
    @Args(() => SetUserRoleArgs) args: SetUserRoleArgs,
  ): Promise<UserView> {
    return setUserRole(context.app, args, signedIn(context).userId);
  }

  @Query(() => AuditEntryConnection, {
    description: 'The audit log, newest entries first. Administrators and auditors only.',
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
    description:
      'The user who performed the action. Null for commands of the operator and for the server itself. The `displayName` of a deleted account is null.',
  })
  actor(@Root() { actorId }: AuditEntry, @Ctx() { loaders }: Context): Promise<UserView | null> {
    return loaders.optional(loaders.users, actorId);
  }
}
