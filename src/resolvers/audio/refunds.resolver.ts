import {
  Arg,
  Ctx,
  Field,
  FieldResolver,
  ID,
  InputType,
  Mutation,
  ObjectType,
  Resolver,
  Root,
} from 'type-graphql';
import { ledgerKey, type TransactionView } from '../../services/credits/credits.js';
import type { AudioView } from '../../services/narrations/audios.js';
import { refundAudio } from '../../services/narrations/refund-audio.js';
import { signedIn, type Context } from '../context.js';
import { CreditTransactionType } from '../credits/credits.type.js';
import { must } from '../loaders.js';
import { AudioType } from './audio.type.js';

@InputType('RefundAudioInput', { description: 'A narration whose points are to be given back.' })
class RefundAudioInput {
  @Field(() => ID, { description: 'The narration.' })
  audioId!: string;

  @Field(() => String, {
    description: 'Why, in words; stands in the history. 1 to 500 characters.',
  })
  reason!: string;
}

@ObjectType('RefundAudioPayload', { description: 'The narration and what was given back.' })
export class RefundAudioPayload {
  userId!: string;
  audioId!: string;
  seq!: number | null;
}

@Resolver(() => RefundAudioPayload)
export class RefundAudioResolver {
  @Mutation(() => RefundAudioPayload, {
    description:
      'Gives back what a narration cost, as goodwill: the recording stays. Administrators only.',
  })
  refundAudio(
    @Ctx() context: Context,
    @Arg('input', () => RefundAudioInput, { description: 'The narration and why.' })
    input: RefundAudioInput,
  ): Promise<RefundAudioPayload> {
    return refundAudio(context.app, input, signedIn(context).userId);
  }

  @FieldResolver(() => AudioType, { description: 'The narration as it is now.' })
  audio(
    @Root() { userId, audioId }: RefundAudioPayload,
    @Ctx() { loaders }: Context,
  ): Promise<AudioView> {
    return must(loaders.audios.load(ledgerKey(userId, audioId)));
  }

  @FieldResolver(() => CreditTransactionType, {
    nullable: true,
    description: 'The REFUND; null when everything had been given back before.',
  })
  refund(
    @Root() { userId, seq }: RefundAudioPayload,
    @Ctx() { loaders }: Context,
  ): Promise<TransactionView | null> {
    return loaders.transactionOf(userId, seq);
  }
}
