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
import type { UserView } from '../../services/accounts/people.js';
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
    description: 'Only proposals in these states. A state that is repeated counts once.',
  })
  state?: GrantProposalFilter['state'];
}

@ArgsType()
class DecideArgs implements DecideInput {
  @Field(() => ID, { description: 'The proposal.' })
  id!: string;

  @Field(() => String, { description: 'The reason, for the audit log. 1 to 500 characters.' })
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
    description: 'A proposal by its id. Administrators and auditors only.',
  })
  proposal(
    @Ctx() { app }: Context,
    @Arg('id', () => ID, { description: 'The proposal.' }) id: string,
  ): Promise<GrantProposal> {
    return requireProposal(app, id);
  }

  @Mutation(() => ProposalDecisionPayload, {
    description:
      'Approves a proposal of another administrator, and carries it out with its own key. If it cannot be carried out any more, the error is that of the mutation itself, and the proposal stays pending. Idempotent: a repeated request keeps the first decision and finishes an interrupted bulk grant. Administrators except the proposer only.',
  })
  approveProposal(
    @Ctx() context: Context,
    @Args(() => DecideArgs) args: DecideArgs,
  ): Promise<ProposalDecisionPayload> {
    return approveProposal(context.app, args, signedIn(context).userId);
  }

  @Mutation(() => ProposalDecisionPayload, {
    description:
      'Declines a proposal of another administrator. This is final. Idempotent: a repeated request keeps the first decision. Administrators except the proposer only.',
  })
  declineProposal(
    @Ctx() context: Context,
    @Args(() => DecideArgs) args: DecideArgs,
  ): Promise<ProposalDecisionPayload> {
    return declineProposal(context.app, args, signedIn(context).userId);
  }

  @FieldResolver(() => UserType, {
    nullable: true,
    description: 'The user who gets the points. Null for a bulk grant.',
  })
  user(@Root() { userId }: GrantProposal, @Ctx() { loaders }: Context): Promise<UserView | null> {
    return loaders.optional(loaders.users, userId);
  }

  @FieldResolver(() => [ProposedRecipientType], {
    description: 'Who gets how many points: the 100 largest amounts, largest first.',
  })
  recipients(
    @Root() { id }: GrantProposal,
    @Ctx() { loaders }: Context,
  ): Promise<readonly ProposedRecipientType[]> {
    return must(loaders.recipients.load(id));
  }

  @FieldResolver(() => UserType, { description: 'The administrator who proposed it.' })
  proposer(@Root() { proposerId }: GrantProposal, @Ctx() { loaders }: Context): Promise<UserView> {
    return must(loaders.users.load(proposerId));
  }

  @FieldResolver(() => UserType, {
    nullable: true,
    description: 'The administrator who approved or declined it.',
  })
  decider(
    @Root() { deciderId }: GrantProposal,
    @Ctx() { loaders }: Context,
  ): Promise<UserView | null> {
    return loaders.optional(loaders.users, deciderId);
  }
}
