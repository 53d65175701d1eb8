import {
  Arg,
  Ctx,
  Field,
  FieldResolver,
  Float,
  Int,
  ObjectType,
  Resolver,
  Root,
} from 'type-graphql';
import type { TimedSentence, TimedWord } from '../../domain/timing/timeline.js';
import type { AudioView } from '../../services/narrations/audios.js';
import { secondsOfAudio } from '../../services/narrations/timeline/expected.js';
import { sentencesKey } from '../../services/narrations/timeline/sentences.js';
import type { Context } from '../context.js';
import { must } from '../loaders.js';
import { AudioType } from './audio.type.js';

@ObjectType('SpokenWord', { description: 'When a word of a sentence is heard.' })
class SpokenWordType implements TimedWord {
  @Field(() => Int, { description: 'The start of the word: a UTF-16 offset in `Audio.content`.' })
  from!: number;

  @Field(() => Int, { description: 'The end of the word, exclusive.' })
  to!: number;

  @Field(() => Int, {
    description: 'When the word begins, in milliseconds from the start of the recording.',
  })
  startMs!: number;
}

@ObjectType('SpokenSentence', {
  description: 'A sentence that is spoken, with its place in the text and in the recording.',
})
class SpokenSentenceType implements TimedSentence {
  @Field(() => Int, { description: 'The number of the sentence, from 0.' })
  index!: number;

  @Field(() => Int, {
    description: 'The start of the sentence: a UTF-16 offset in `Audio.content`.',
  })
  from!: number;

  @Field(() => Int, { description: 'The end of the sentence, exclusive.' })
  to!: number;

  @Field(() => Int, {
    description: 'When the sentence begins, in milliseconds from the start of the recording.',
  })
  startMs!: number;

  @Field(() => Int, { description: 'When it ends. The pause behind it is not included.' })
  endMs!: number;

  @Field(() => [SpokenWordType], {
    description: 'The words in spoken order. Empty when the speech provider gives no word times.',
  })
  words!: readonly SpokenWordType[];
}

/** What a read-along needs. */
@Resolver(() => AudioType)
export class SentencesResolver {
  @FieldResolver(() => [SpokenSentenceType], {
    description:
      'The sentences that are spoken so far, in order, while the narration is being made too. At most 250 in an answer, and fewer when they have more than 3,000 words: ask again with the `index` of the last one, until the answer is empty. Empty when QUEUED, FAILED or CANCELLED. BAD_USER_INPUT for `after` below -1 or above 1,000,000.',
  })
  sentences(
    @Root() audio: AudioView,
    @Ctx() { loaders }: Context,
    @Arg('after', () => Int, {
      nullable: true,
      defaultValue: -1,
      description: 'Only sentences with a greater `index`. -1 for all.',
    })
    after: number | null,
  ): Promise<readonly SpokenSentenceType[]> {
    return must(loaders.sentences.load(sentencesKey(audio, after ?? -1)));
  }

  @FieldResolver(() => Float, {
    nullable: true,
    description:
      'The playing time in seconds: exact when READY. Before that it is estimated from the sentences that are spoken, and from the usual speed of the voice. Null when FAILED or CANCELLED.',
  })
  expectedSeconds(@Root() audio: AudioView, @Ctx() { loaders }: Context): Promise<number | null> {
    return secondsOfAudio(loaders.audioSeconds, audio);
  }
}
