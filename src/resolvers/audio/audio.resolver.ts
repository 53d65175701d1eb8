import {
  Arg,
  Ctx,
  FieldResolver,
  Float,
  ID,
  Int,
  Mutation,
  Query,
  Resolver,
  Root,
} from 'type-graphql';
import {
  chargedPoints,
  ledgerKey,
  type LotView,
  type TransactionView,
} from '../../services/credits/credits.js';
import { signedUrl, streamUrl } from '../../services/narrations/addresses.js';
import {
  durationSeconds,
  findAudio,
  readyLength,
  type AudioView,
} from '../../services/narrations/audios.js';
import {
  quoteNarration,
  synthesizeAudio,
  type Quote,
} from '../../services/narrations/request-narration.js';
import type { Story } from '../../services/stories/stories.js';
import type { Voice } from '../../services/stories/voices.js';
import { signedIn, type Context } from '../context.js';
import { CreditLotType, CreditTransactionType } from '../credits/credits.type.js';
import { must } from '../loaders.js';
import { StoryType, VoiceType } from '../stories/story.type.js';
import { AudioType } from './audio.type.js';
import {
  AudioQuote,
  QuotedAllocation,
  SynthesizeAudioInputType,
  SynthesizeAudioPayload,
} from './synthesis.type.js';

@Resolver(() => AudioType)
export class AudioResolver {
  @Query(() => AudioType, { nullable: true, description: 'One of your own narrations.' })
  audio(
    @Ctx() context: Context,
    @Arg('id', () => ID, { description: 'Its id.' }) id: string,
  ): Promise<AudioView> {
    return findAudio(context.app, signedIn(context).userId, id);
  }

  @Mutation(() => SynthesizeAudioPayload, {
    description:
      'Narrates a story. Points are debited and the work is queued together; a narration that is there already is free.',
  })
  synthesizeAudio(
    @Ctx() context: Context,
    @Arg('input', () => SynthesizeAudioInputType, { description: 'What to narrate.' })
    input: SynthesizeAudioInputType,
  ): Promise<SynthesizeAudioPayload> {
    return synthesizeAudio(context.app, signedIn(context), input);
  }

  @FieldResolver(() => StoryType, { description: 'The story, even when it has left the library.' })
  story(@Root() audio: AudioView, @Ctx() { loaders }: Context): Promise<Story> {
    return must(loaders.stories.load(audio.storyId));
  }

  @FieldResolver(() => VoiceType, { description: 'The voice.' })
  voice(@Root() audio: AudioView, @Ctx() { loaders }: Context): Promise<Voice> {
    return must(loaders.voices.load(audio.voiceId));
  }

  @FieldResolver(() => Float, {
    nullable: true,
    description: 'How long it plays. Null unless READY.',
  })
  durationSeconds(@Root() audio: AudioView): number | null {
    return durationSeconds(audio);
  }

  @FieldResolver(() => Int, { nullable: true, description: 'Bytes of the MP3. Null unless READY.' })
  byteSize(@Root() audio: AudioView): number | null {
    return readyLength(audio);
  }

  @FieldResolver(() => String, {
    nullable: true,
    description:
      'Plays the MP3 without a token, for an hour; answers Range requests. Null unless READY.',
  })
  url(@Root() audio: AudioView, @Ctx() { app, loaders }: Context): Promise<string | null> {
    return signedUrl(app, audio, 'mp3', () => must(loaders.stories.load(audio.storyId)));
  }

  @FieldResolver(() => String, {
    nullable: true,
    description: 'WebVTT with one cue a sentence, for reading along. Null unless READY.',
  })
  captionsUrl(@Root() audio: AudioView, @Ctx() { app, loaders }: Context): Promise<string | null> {
    return signedUrl(app, audio, 'vtt', () => must(loaders.stories.load(audio.storyId)));
  }

  @FieldResolver(() => String, {
    nullable: true,
    description:
      'Plays the MP3 from the start and without a token: the first quarter while it is being made, the rest once all of it is made. Seeking is not possible; with `url` it is. Null unless QUEUED or PROCESSING.',
  })
  streamUrl(@Root() audio: AudioView, @Ctx() { app, loaders }: Context): Promise<string | null> {
    return streamUrl(app, audio, () => must(loaders.stories.load(audio.storyId)));
  }

  @FieldResolver(() => Int, { description: 'Points charged and not refunded.' })
  async creditsCharged(@Root() audio: AudioView, @Ctx() { loaders }: Context): Promise<number> {
    return chargedPoints(
      (await loaders.audioTransactions.load(ledgerKey(audio.userId, audio.id))) ?? [],
    );
  }

  @FieldResolver(() => [CreditTransactionType], {
    description: 'The debit and any refund of it, oldest first.',
  })
  async transactions(
    @Root() audio: AudioView,
    @Ctx() { loaders }: Context,
  ): Promise<TransactionView[]> {
    return (await loaders.audioTransactions.load(ledgerKey(audio.userId, audio.id))) ?? [];
  }
}

@Resolver(() => SynthesizeAudioPayload)
export class SynthesizeAudioPayloadResolver {
  @FieldResolver(() => AudioType, { description: 'The narration, new or existing.' })
  audio(@Root() payload: SynthesizeAudioPayload, @Ctx() { loaders }: Context): Promise<AudioView> {
    return must(loaders.audios.load(ledgerKey(payload.userId, payload.audioId)));
  }

  @FieldResolver(() => CreditTransactionType, {
    nullable: true,
    description: 'The debit; null when an existing narration is returned without a charge.',
  })
  async charge(
    @Root() payload: SynthesizeAudioPayload,
    @Ctx() { loaders }: Context,
  ): Promise<TransactionView | null> {
    return loaders.transactionOf(payload.userId, payload.debitSeq);
  }
}

@Resolver(() => AudioQuote)
export class AudioQuoteResolver {
  @Query(() => AudioQuote, {
    description: 'What narrating would cost now and which lots would pay. Changes nothing.',
  })
  quoteAudio(
    @Ctx() context: Context,
    @Arg('storyId', () => ID, { description: 'A story of the library.' }) storyId: string,
    @Arg('voiceId', () => ID, { description: 'One of `voices`.' }) voiceId: string,
  ): Promise<Quote> {
    return quoteNarration(context.app, signedIn(context), { storyId, voiceId });
  }

  @FieldResolver(() => AudioType, {
    nullable: true,
    description: 'Your existing narration, when asking again would be free.',
  })
  existing(@Root() quote: Quote): AudioView | null {
    return quote.existing;
  }
}

@Resolver(() => QuotedAllocation)
export class QuotedAllocationResolver {
  @FieldResolver(() => CreditLotType, { description: 'The lot.' })
  lot(@Root() allocation: QuotedAllocation, @Ctx() { loaders }: Context): Promise<LotView> {
    return must(loaders.lots.load(allocation.lotKey));
  }
}
