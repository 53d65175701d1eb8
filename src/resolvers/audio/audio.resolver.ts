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
import type { UserView } from '../../services/accounts/people.sql.js';
import {
  chargedPoints,
  ledgerKey,
  type LotView,
  type TransactionView,
} from '../../services/credits/credits.js';
import { servedLength, signedUrl, streamUrl } from '../../services/narrations/addresses.js';
import { durationSeconds, findAudio, type AudioView } from '../../services/narrations/audios.js';
import {
  quoteNarration,
  synthesizeAudio,
  type Quote,
} from '../../services/narrations/request-narration.js';
import type { Story } from '../../services/stories/stories.js';
import type { Voice } from '../../services/stories/voices.js';
import { UserType } from '../accounts/user.type.js';
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
  @Query(() => AudioType, {
    nullable: true,
    description: 'One of your own narrations. NOT_FOUND for any other id.',
  })
  audio(
    @Ctx() context: Context,
    @Arg('id', () => ID, { description: 'The id of the narration.' }) id: string,
  ): Promise<AudioView> {
    return findAudio(context.app, signedIn(context).userId, id);
  }

  @Mutation(() => SynthesizeAudioPayload, {
    description:
      'Requests the narration of a story. The debit and the job are committed together. A narration that is READY or in progress is returned without a charge. INSUFFICIENT_CREDITS when you have too few points. PRICE_CHANGED when the price is above `maxCredits`. VOICE_CANNOT_READ when the story is in a language or a script that the voice does not read; `extensions.voices` has the ids of voices that do. FORBIDDEN for auditors.',
  })
  synthesizeAudio(
    @Ctx() context: Context,
    @Arg('input', () => SynthesizeAudioInputType, {
      description: 'The story, the voice and the highest price.',
    })
    input: SynthesizeAudioInputType,
  ): Promise<SynthesizeAudioPayload> {
    return synthesizeAudio(context.app, signedIn(context), input);
  }

  @FieldResolver(() => StoryType, {
    description: 'The story. It is also returned after the story was unpublished or deleted.',
  })
  story(@Root() audio: AudioView, @Ctx() { loaders }: Context): Promise<Story> {
    return must(loaders.stories.load(audio.storyId));
  }

  @FieldResolver(() => UserType, { description: 'The user who requested the narration.' })
  user(@Root() audio: AudioView, @Ctx() { loaders }: Context): Promise<UserView> {
    return must(loaders.users.load(audio.userId));
  }

  @FieldResolver(() => VoiceType, {
    description: 'The voice. It is also returned when the voice is no longer available.',
  })
  voice(@Root() audio: AudioView, @Ctx() { loaders }: Context): Promise<Voice> {
    return must(loaders.voices.load(audio.voiceId));
  }

  @FieldResolver(() => Float, {
    nullable: true,
    description: 'The playing time in seconds. Null unless READY.',
  })
  durationSeconds(@Root() audio: AudioView): number | null {
    return durationSeconds(audio);
  }

  @FieldResolver(() => Int, {
    nullable: true,
    description: 'The size of the MP3 in bytes, with its tag. Null unless READY.',
  })
  byteSize(@Root() audio: AudioView, @Ctx() { loaders }: Context): Promise<number | null> {
    return servedLength(audio, () => must(loaders.stories.load(audio.storyId)));
  }

  @FieldResolver(() => String, {
    nullable: true,
    description:
      'The URL of the MP3. It needs no access token and is valid for one hour by default. It supports Range requests. Null unless READY.',
  })
  url(@Root() audio: AudioView, @Ctx() { app, loaders }: Context): Promise<string | null> {
    return signedUrl(app, audio, 'mp3', () => must(loaders.stories.load(audio.storyId)));
  }

  @FieldResolver(() => String, {
    nullable: true,
    description:
      'The URL of the captions in WebVTT, with one cue for each sentence. It needs no access token and is valid for one hour by default. Null unless READY.',
  })
  captionsUrl(@Root() audio: AudioView, @Ctx() { app, loaders }: Context): Promise<string | null> {
    return signedUrl(app, audio, 'vtt', () => must(loaders.stories.load(audio.storyId)));
  }

  @FieldResolver(() => String, {
    nullable: true,
    description:
      'The URL of a stream of the MP3 from the start. It sends the first quarter while the narration is being made, and the rest when all of it is made, because until then the narration can be cancelled for a refund. Seeking is not possible. It needs no access token and is valid for one hour by default. Null unless QUEUED or PROCESSING.',
  })
  streamUrl(@Root() audio: AudioView, @Ctx() { app, loaders }: Context): Promise<string | null> {
    return streamUrl(app, audio, () => must(loaders.stories.load(audio.storyId)));
  }

  @FieldResolver(() => Int, { description: 'Points charged for this narration and not refunded.' })
  async creditsCharged(@Root() audio: AudioView, @Ctx() { loaders }: Context): Promise<number> {
    return chargedPoints(
      (await loaders.audioTransactions.load(ledgerKey(audio.userId, audio.id))) ?? [],
    );
  }

  @FieldResolver(() => [CreditTransactionType], {
    description: 'The debits of this narration and their refunds, oldest first.',
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
    description: 'The debit. Null when an existing narration is returned without a charge.',
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
    description:
      'The current price of a narration, and the lots that would pay for it. No points are debited. VOICE_CANNOT_READ as in `synthesizeAudio`.',
  })
  quoteAudio(
    @Ctx() context: Context,
    @Arg('storyId', () => ID, { description: 'The id of a story in the library.' }) storyId: string,
    @Arg('voiceId', () => ID, { description: 'The id of a voice from `voices`.' }) voiceId: string,
  ): Promise<Quote> {
    return quoteNarration(context.app, signedIn(context), { storyId, voiceId });
  }

  @FieldResolver(() => AudioType, {
    nullable: true,
    description:
      'Your existing narration, which `synthesizeAudio` would return without a charge. Null when there is none.',
  })
  existing(@Root() quote: Quote): AudioView | null {
    return quote.existing;
  }
}

@Resolver(() => QuotedAllocation)
export class QuotedAllocationResolver {
  @FieldResolver(() => CreditLotType, { description: 'The lot that would pay.' })
  lot(@Root() allocation: QuotedAllocation, @Ctx() { loaders }: Context): Promise<LotView> {
    return must(loaders.lots.load(allocation.lotKey));
  }
}
