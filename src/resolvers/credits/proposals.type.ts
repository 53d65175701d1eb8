import { Field, ID, Int, ObjectType } from 'type-graphql';
import type { GrantProposal } from '../../services/credits/approvals/proposals.js';
import { CreditSource, GrantCommand, GrantProposalState } from '../enums.js';
import { Node } from '../node.js';
import { connectionOf } from '../paging.js';
import { SafeIntScalar } from '../scalars.js';

@ObjectType('GrantProposal', {
  implements: Node,
  description:
    'A grant or a monthly allowance that another administrator must approve, because it is above the limit for one administrator.',
})
export class GrantProposalType implements Omit<GrantProposal, 'proposerId' | 'deciderId'> {
  id!: string;

  @Field(() => GrantCommand, { description: 'The proposed mutation.' })
  command!: GrantProposal['command'];

  @Field(() => GrantProposalState, { description: 'Its present state.' })
  state!: GrantProposal['state'];

  @Field(() => Int, {
    description: 'The points of all recipients together. For a monthly allowance, its new value.',
  })
  points!: number;

  @Field(() => Int, {
    description: 'The limit, in points, for one administrator when it was proposed.',
  })
  above!: number;

  @Field(() => CreditSource, { description: 'The source of the points.' })
  source!: GrantProposal['source'];

  @Field(() => Date, {
    nullable: true,
    description: 'When the points lapse. Null for never, and for a monthly allowance.',
  })
  expiresAt!: Date | null;

  @Field(() => String, { description: 'The reason that the proposer gave.' })
  reason!: string;

  @Field(() => String, {
    nullable: true,
    description: 'The key of the request, which an approval uses too. Null for an allowance.',
  })
  idempotencyKey!: string | null;

  @Field(() => Int, { description: 'The number of users who get points.' })
  recipientCount!: number;

  @Field(() => Date, { description: 'When it was proposed.' })
  proposedAt!: Date;

  @Field(() => Date, { description: 'From this instant on it cannot be decided.' })
  lapsesAt!: Date;

  @Field(() => Date, { nullable: true, description: 'When it was approved or declined.' })
  decidedAt!: Date | null;

  @Field(() => String, {
    nullable: true,
    description: 'The reason of the decision.',
  })
  decisionReason!: string | null;

  userId!: string | null;
  proposerId!: string;
  deciderId!: string | null;
}

@ObjectType('ProposedRecipient', { description: 'A user who would get points.' })
export class ProposedRecipientType {
  @Field(() => ID, { description: 'The id of the user.' })
  userId!: string;

  @Field(() => Int, { description: 'The points of this user.' })
  amount!: number;

  @Field(() => SafeIntScalar, {
    nullable: true,
    description: 'The price of these points, in minor units of the currency. Null for free points.',
  })
  priceMinor!: number | null;

  @Field(() => String, {
    nullable: true,
    description: 'The ISO 4217 code of the currency, for example EUR. Null without a price.',
  })
  currency!: string | null;
}

export const GrantProposalConnection = connectionOf('GrantProposal', () => GrantProposalType);

@ObjectType('ProposalDecisionPayload', { description: 'The proposal after the decision.' })
export class ProposalDecisionPayload {
  @Field(() => GrantProposalType, { description: 'The proposal as it is now.' })
  proposal!: GrantProposal;

  @Field(() => Boolean, {
    description:
      'The same decision was made before: this is the first one. The repeated request has only finished an interrupted bulk grant, if there was one.',
  })
  replayed!: boolean;
}
