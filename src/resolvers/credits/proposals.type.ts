import { Field, ID, Int, ObjectType } from 'type-graphql';
import type {
  GrantProposal,
  ProposedRecipient,
} from '../../services/credits/approvals/proposals.js';
import { CreditSource, GrantCommand, GrantProposalState } from '../enums.js';
import { Node } from '../node.js';
import { connectionOf } from '../paging.js';
import { SafeIntScalar } from '../scalars.js';

@ObjectType('GrantProposal', {
  implements: Node,
  description:
    'A grant or an increase of a monthly allowance that another administrator must approve, because it exceeds the daily limit for one administrator.',
})
export class GrantProposalType implements Omit<GrantProposal, 'proposerId' | 'deciderId'> {
  id!: string;

  @Field(() => GrantCommand, { description: 'The proposed mutation.' })
  command!: GrantProposal['command'];

  @Field(() => GrantProposalState, { description: 'The current state of the proposal.' })
  state!: GrantProposal['state'];

  @Field(() => Int, {
    description:
      'The total number of points for all recipients. For a monthly allowance, its new value.',
  })
  points!: number;

  @Field(() => Int, {
    description: 'The daily limit for one administrator when the proposal was made, in points.',
  })
  above!: number;

  @Field(() => CreditSource, { description: 'The source of the points.' })
  source!: GrantProposal['source'];

  @Field(() => Date, {
    nullable: true,
    description: 'When the points expire. Null if they never expire, and for a monthly allowance.',
  })
  expiresAt!: Date | null;

  @Field(() => String, { description: 'The reason that the proposer gave.' })
  reason!: string;

  @Field(() => String, {
    nullable: true,
    description:
      'The idempotency key of the request. The approval uses the same key. Null for a monthly allowance.',
  })
  idempotencyKey!: string | null;

  @Field(() => Int, { description: 'The number of users who receive points.' })
  recipientCount!: number;

  @Field(() => Date, { description: 'When the proposal was made.' })
  proposedAt!: Date;

  @Field(() => Date, {
    description:
      'When the proposal lapses, seven days after it was made. From this instant on, it cannot be approved or declined.',
  })
  lapsesAt!: Date;

  @Field(() => Date, {
    nullable: true,
    description: 'When the proposal was approved or declined. Null if it was not decided.',
  })
  decidedAt!: Date | null;

  @Field(() => String, {
    nullable: true,
    description: 'The reason for the decision. Null if the proposal was not decided.',
  })
  decisionReason!: string | null;

  userId!: string | null;
  proposerId!: string;
  deciderId!: string | null;
}

@ObjectType('ProposedRecipient', { description: 'A recipient of a proposed grant.' })
export class ProposedRecipientType implements ProposedRecipient {
  @Field(() => ID, { description: 'The id of the user.' })
  userId!: string;

  @Field(() => Int, { description: 'The number of points for this user.' })
  amount!: number;

  @Field(() => SafeIntScalar, {
    nullable: true,
    description:
      'The total price of these points, in minor units of the currency. Null for free points.',
  })
  priceMinor!: number | null;

  @Field(() => String, {
    nullable: true,
    description:
      'The ISO 4217 code of the currency, for example EUR. Null if `priceMinor` is null.',
  })
  currency!: string | null;
}

export const GrantProposalConnection = connectionOf('GrantProposal', () => GrantProposalType);

@ObjectType('ProposalDecisionPayload', { description: 'The result of a decision on a proposal.' })
export class ProposalDecisionPayload {
  @Field(() => GrantProposalType, { description: 'The proposal in its current state.' })
  proposal!: GrantProposal;

  @Field(() => Boolean, {
    description:
      'Whether the same decision had already been made. If so, the first decision is kept, and the repeated request only finishes a bulk grant that was interrupted.',
  })
  replayed!: boolean;
}
