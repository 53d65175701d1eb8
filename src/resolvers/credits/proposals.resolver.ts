import {
  Arg,
  Args,
  ArgsType,
  Ctx,
  Field,
  FieldResolver,
  ID,
  Mutation,
  Query,
  Resolver,
  Root,
} from 'type-graphql';
import type { UserView } from '../../services/accounts/people.sql.js';
import {
  approveProposal,
  declineProposal,
  type DecideInput,
} from '../../services/credits/approvals/decide.js';
import {
  listProposals,
  requireProposal,
  type GrantProposal,
  type GrantProposalFilter,
} from '../../services/credits/approvals/proposals.js';
import { UserType } from '../accounts/user.type.js';
import { signedIn, type Context } from '../context.js';
import { GrantProposalState } from '../enums.js';
import { must } from '../loaders.js';
import { PageArgs, toConnection, type Connection } from '../paging.js';
import {
  GrantProposalConnection,
  GrantProposalType,
  ProposalDecisionPayload,
  ProposedRecipientType,
} from './proposals.type.js';

@ArgsType()
class ProposalsArgs extends PageArgs implements GrantProposalFilter {
  @Field(() => [GrantProposalState], {
    nullable: true,
    description:
      'Only proposals in one of these states. Null for all proposals. Duplicate values are ignored.',
  })
  state?: GrantProposalFilter['state'];
}

@ArgsType()
class DecideArgs implements DecideInput {
  @Field(() => ID, { description: 'The id of the proposal.' })
  id!: string;

  @Field(() => String, {
    description:
      'The reason for the decision, 1 to 500 characters. It is recorded in the audit log.',
  })
  reason!: string;
}

@Resolver(() => GrantProposalType)
export class ProposalResolver {
  @Query(() => GrantProposalConnection, {
    description: 'The proposals of administrators, newest first. Administrators and auditors only.',
  })
  async proposals(
    @Ctx() { app }: Context,
    @Args(() => ProposalsArgs) args: ProposalsArgs,
  ): Promise<Connection<GrantProposal>> {
    return toConnection(await listProposals(app, args));
  }

  @Query(() => GrantProposalType, {
    description:
      'A proposal by its id. NOT_FOUND if it does not exist. Administrators and auditors only.',
  })
  proposal(
    @Ctx() { app }: Context,
    @Arg('id', () => ID, { description: 'The id of the proposal.' }) id: string,
  ): Promise<GrantProposal> {
    return requireProposal(app, id);
  }

  @Mutation(() => ProposalDecisionPayload, {
    description:
      'Approves another administrator’s proposal, and carries out the proposed mutation with its original idempotency key. If the mutation is refused, its error is returned, and the proposal stays pending; only BUSY can also mean that a bulk grant is approved, and that a job grants the rest. CONFLICT if the proposal was declined or has lapsed, if its proposer is no longer an active administrator, or if the allowance has changed since the proposal. FORBIDDEN for the proposer. Idempotent: a repeated request keeps the first decision, and finishes a bulk grant that was interrupted. Administrators only.',
  })
  approveProposal(
    @Ctx() context: Context,
    @Args(() => DecideArgs) args: DecideArgs,
  ): Promise<ProposalDecisionPayload> {
    return approveProposal(context.app, args, signedIn(context).userId);
  }

  @Mutation(() => ProposalDecisionPayload, {
    description:
      'Declines another administrator’s proposal. This is final. CONFLICT if the proposal was approved or has lapsed. FORBIDDEN for the proposer. Idempotent: a repeated request keeps the first decision. Administrators only.',
  })
  declineProposal(
    @Ctx() context: Context,
    @Args(() => DecideArgs) args: DecideArgs,
  ): Promise<ProposalDecisionPayload> {
    return declineProposal(context.app, args, signedIn(context).userId);
  }

  @FieldResolver(() => UserType, {
    nullable: true,
    description: 'The user who receives the points. Null for a bulk grant.',
  })
  user(@Root() { userId }: GrantProposal, @Ctx() { loaders }: Context): Promise<UserView | null> {
    return loaders.optional(loaders.users, userId);
  }

  @FieldResolver(() => [ProposedRecipientType], {
    description: 'The recipients with the 100 largest amounts, largest first.',
  })
  recipients(
    @Root() { id }: GrantProposal,
    @Ctx() { loaders }: Context,
  ): Promise<readonly ProposedRecipientType[]> {
    return must(loaders.recipients.load(id));
  }

  @FieldResolver(() => UserType, { description: 'The administrator who made the proposal.' })
  proposer(@Root() { proposerId }: GrantProposal, @Ctx() { loaders }: Context): Promise<UserView> {
    return must(loaders.users.load(proposerId));
  }

  @FieldResolver(() => UserType, {
    nullable: true,
    description:
      'The administrator who approved or declined the proposal. Null if it was not decided.',
  })
  decider(
    @Root() { deciderId }: GrantProposal,
    @Ctx() { loaders }: Context,
  ): Promise<UserView | null> {
    return loaders.optional(loaders.users, deciderId);
  }
}
