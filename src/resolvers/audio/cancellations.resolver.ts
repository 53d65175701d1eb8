import {
  Arg,
  Ctx,
  FieldResolver,
  ID,
  Int,
  Mutation,
  ObjectType,
  Resolver,
  Root,
} from 'type-graphql';
import {
  ledgerKey,
  spendablePoints,
  type TransactionView,
} from '../../services/credits/credits.js';
import type { AudioView } from '../../services/narrations/audios.js';
import { cancelAudio, lastRefund } from '../../services/narrations/cancel-audio.js';
import { deleteAudio } from '../../services/narrations/deletion/delete-audio.js';
import { signedIn, type Context } from '../context.js';
import { CreditTransactionType } from '../credits/credits.type.js';
import { must } from '../loaders.js';
import { AudioType } from './audio.type.js';

@ObjectType('CancelAudioPayload', { description: 'The narration and its refund.' })
export class CancelAudioPayload {
  userId!: string;
  audioId!: string;
}

@Resolver(() => CancelAudioPayload)
export class CancelAudioResolver {
  @Mutation(() => CancelAudioPayload, {
    description:
      'Cancels one of your narrations that is not READY, and refunds the points. Repeating it changes nothing. CONFLICT when the narration is READY, or was READY and is being made again because its recording was lost. FORBIDDEN for auditors.',
  })
  cancelAudio(
    @Ctx() context: Context,
    @Arg('id', () => ID, { description: 'The id of the narration.' }) id: string,
  ): Promise<CancelAudioPayload> {
    return cancelAudio(context.app, signedIn(context), id);
  }

  @Mutation(() => Boolean, {
    description:
      'Deletes one of your narrations, with its position and bookmarks. The points are not refunded. The recording is erased unless another narration has it. Returns true. CONFLICT while the narration is being made: cancel it first.',
  })
  async deleteAudio(
    @Ctx() context: Context,
    @Arg('id', () => ID, { description: 'The id of the narration.' }) id: string,
  ): Promise<boolean> {
    await deleteAudio(context.app, signedIn(context), id);
    return true;
  }

  @FieldResolver(() => AudioType, { description: 'The narration in its current state.' })
  audio(
    @Root() { userId, audioId }: CancelAudioPayload,
    @Ctx() { loaders }: Context,
  ): Promise<AudioView> {
    return must(loaders.audios.load(ledgerKey(userId, audioId)));
  }

  @FieldResolver(() => CreditTransactionType, {
    nullable: true,
    description:
      'The REFUND transaction. Cancelling again returns the same one. Null when there is none.',
  })
  async refund(
    @Root() { userId, audioId }: CancelAudioPayload,
    @Ctx() { loaders }: Context,
  ): Promise<TransactionView | null> {
    return lastRefund((await loaders.audioTransactions.load(ledgerKey(userId, audioId))) ?? []);
  }

  @FieldResolver(() => Int, { description: 'Spendable points after the cancellation.' })
  async balance(
    @Root() { userId }: CancelAudioPayload,
    @Ctx() { loaders }: Context,
  ): Promise<number> {
    return spendablePoints((await loaders.balances.load(userId)) ?? []);
  }
}
