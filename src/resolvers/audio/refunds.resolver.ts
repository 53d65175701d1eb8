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

@InputType('RefundAudioInput', { description: 'The narration to refund, and the reason.' })
class RefundAudioInput {
  @Field(() => ID, { description: 'The id of the narration.' })
  audioId!: string;

  @Field(() => String, {
    description: 'The reason, which the history shows. 1 to 500 characters.',
  })
  reason!: string;
}

@ObjectType('RefundAudioPayload', { description: 'The narration and its refund.' })
export class RefundAudioPayload {
  userId!: string;
  audioId!: string;
  seq!: number | null;
}

@Resolver(() => RefundAudioPayload)
export class RefundAudioResolver {
  @Mutation(() => RefundAudioPayload, {
    description:
      'Refunds the points of a narration as goodwill. The recording is kept. Points that were already refunded are not refunded again. Administrators only.',
  })
  refundAudio(
    @Ctx() context: Context,
    @Arg('input', () => RefundAudioInput, { description: 'The narration and the reason.' })
    input: RefundAudioInput,
  ): Promise<RefundAudioPayload> {
    return refundAudio(context.app, input, signedIn(context).userId);
  }

  @FieldResolver(() => AudioType, { description: 'The narration in its current state.' })
  audio(
    @Root() { userId, audioId }: RefundAudioPayload,
    @Ctx() { loaders }: Context,
  ): Promise<AudioView> {
    return must(loaders.audios.load(ledgerKey(userId, audioId)));
  }

  @FieldResolver(() => CreditTransactionType, {
    nullable: true,
    description: 'The REFUND transaction. Null when all points had already been refunded.',
  })
  refund(
    @Root() { userId, seq }: RefundAudioPayload,
    @Ctx() { loaders }: Context,
  ): Promise<TransactionView | null> {
    return loaders.transactionOf(userId, seq);
  }
}
