import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import type { Quote, SynthesizeAudioInput } from '../../services/narrations/request-narration.js';

@InputType('SynthesizeAudioInput', { description: 'What to narrate, and at which price at most.' })
export class SynthesizeAudioInputType implements SynthesizeAudioInput {
  @Field(() => ID, { description: 'A story of the library.' })
  storyId!: string;

  @Field(() => ID, {
    description:
      'One of `voices`. Those that speak the language of the story are in `voices(language: …)`; others read it with an accent.',
  })
  voiceId!: string;

  @Field(() => Int, {
    nullable: true,
    description: 'Refuses instead of charging more points than this.',
  })
  maxCredits?: number | null;

  @Field(() => String, {
    nullable: true,
    description:
      '1 to 255 visible ASCII characters. Asking again with the same key gives the first answer again.',
  })
  idempotencyKey?: string | null;
}

@ObjectType('SynthesizeAudioPayload', { description: 'The narration and what it cost.' })
export class SynthesizeAudioPayload {
  @Field(() => Int, { description: 'Points that can be spent afterwards.' })
  balance!: number;

  userId!: string;
  audioId!: string;
  debitSeq!: number | null;
}

@ObjectType('QuotedAllocation', { description: 'How much one lot would pay.' })
export class QuotedAllocation {
  @Field(() => Int, { description: 'Points.' })
  amount!: number;

  lotKey!: string;
}

@ObjectType('AudioQuote', {
  description: 'What narrating would cost now and which lots would pay. Changes nothing.',
})
export class AudioQuote implements Omit<Quote, 'existing'> {
  @Field(() => Int, { description: 'The price, in points.' })
  requiredCredits!: number;

  @Field(() => Int, { description: 'Points that can be spent now.' })
  balance!: number;

  @Field(() => Boolean, { description: 'Whether the balance is enough.' })
  affordable!: boolean;

  @Field(() => Int, { description: 'Points missing; 0 when affordable.' })
  shortfall!: number;

  @Field(() => [QuotedAllocation], {
    description:
      'Which lots would pay, in the order in which they burn. Empty when not affordable.',
  })
  allocations!: readonly QuotedAllocation[];

  userId!: string;
}
