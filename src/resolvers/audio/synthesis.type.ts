import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import type { RowKey } from '../../domain/ids.js';
import type { Quote, SynthesizeAudioInput } from '../../services/narrations/request-narration.js';

@InputType('SynthesizeAudioInput', {
  description: 'The story and the voice of a narration, and the highest price.',
})
export class SynthesizeAudioInputType implements SynthesizeAudioInput {
  @Field(() => ID, { description: 'The id of a story in the library.' })
  storyId!: string;

  @Field(() => ID, {
    description:
      'The id of a voice from `voices`. `voices(language: …)` lists the voices that speak the language of the story. Other voices read it with an accent, or refuse it when it is in another script.',
  })
  voiceId!: string;

  @Field(() => Int, {
    nullable: true,
    description:
      'The highest acceptable price in points, 0 to 2,147,483,647. A higher price is PRICE_CHANGED, and nothing is charged. No limit by default.',
  })
  maxCredits?: number | null;

  @Field(() => String, {
    nullable: true,
    description:
      'The idempotency key, 1 to 255 visible ASCII characters. A repeated request with the same key returns the same narration and charge. IDEMPOTENCY_KEY_REUSED when the key was used for another request. None by default.',
  })
  idempotencyKey?: string | null;
}

@ObjectType('SynthesizeAudioPayload', { description: 'The narration and its charge.' })
export class SynthesizeAudioPayload {
  @Field(() => Int, { description: 'Spendable points after the request.' })
  balance!: number;

  userId!: string;
  audioId!: string;
  debitSeq!: number | null;
}

@ObjectType('QuotedAllocation', { description: 'The points that one lot would pay.' })
export class QuotedAllocation {
  @Field(() => Int, { description: 'The number of points.' })
  amount!: number;

  lotKey!: RowKey;
}

@ObjectType('AudioQuote', {
  description: 'The current price of a narration, and the lots that would pay for it.',
})
export class AudioQuote implements Omit<Quote, 'existing'> {
  @Field(() => Int, { description: 'The price in points.' })
  requiredCredits!: number;

  @Field(() => Int, { description: 'Points that can be spent now.' })
  balance!: number;

  @Field(() => Boolean, { description: 'Whether the balance covers the price.' })
  affordable!: boolean;

  @Field(() => Int, { description: 'The number of missing points. 0 when `affordable`.' })
  shortfall!: number;

  @Field(() => [QuotedAllocation], {
    description: 'The lots that would pay, in spending order. Empty unless `affordable`.',
  })
  allocations!: readonly QuotedAllocation[];

  userId!: string;
}
