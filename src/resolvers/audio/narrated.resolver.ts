import { Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import { addressesExpireAt } from '../../services/narrations/addresses.js';
import {
  failureCode,
  waitingFor,
  type AudioView,
  type AudioWait as Wait,
} from '../../services/narrations/audios.js';
import type { AudioFailureCode as Code } from '../../services/narrations/synthesis/failure-code.js';
import type { Context } from '../context.js';
import { reserveCharacters } from '../documents/answer-size.js';
import { AudioFailureCode, AudioWait } from '../enums.js';
import { must } from '../loaders.js';
import { AudioType } from './audio.type.js';

/** The text of a narration, and what clients must know to play it. */
@Resolver(() => AudioType)
export class NarratedTextResolver {
  @FieldResolver(() => String, {
    description: 'The text that is narrated. `Story.content` may have been edited since.',
  })
  async content(
    @Root() { textHash }: AudioView,
    @Ctx() { answerSize, loaders }: Context,
  ): Promise<string> {
    reserveCharacters(answerSize, await must(loaders.textLengths.load(textHash)));
    return must(loaders.contents.load(textHash));
  }

  @FieldResolver(() => Boolean, {
    description:
      'Whether the text of the story has been edited since the narration was requested. A new narration has the new text.',
  })
  async outdated(@Root() audio: AudioView, @Ctx() { loaders }: Context): Promise<boolean> {
    const story = await must(loaders.stories.load(audio.storyId));
    return story.textHash !== audio.textHash;
  }

  @FieldResolver(() => Date, {
    nullable: true,
    description: 'When the addresses in this answer expire. Null if it has none.',
  })
  addressesExpireAt(@Root() audio: AudioView, @Ctx() { app }: Context): Date | null {
    return addressesExpireAt(app, audio);
  }

  @FieldResolver(() => AudioFailureCode, {
    nullable: true,
    description: 'The cause of the failure, for programs. Null unless FAILED.',
  })
  failureCode(@Root() audio: AudioView): Code | null {
    return failureCode(audio);
  }

  @FieldResolver(() => AudioWait, {
    nullable: true,
    description: 'What the narration waits for besides a worker. Null unless QUEUED.',
  })
  waitingFor(@Root() audio: AudioView): Wait | null {
    return waitingFor(audio);
  }
}
