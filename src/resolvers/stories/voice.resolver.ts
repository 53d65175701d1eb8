import { Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import { sampleUrlOf } from '../../services/narrations/samples/samples.js';
import { localeOf, type Voice } from '../../services/stories/voices.js';
import type { Context } from '../context.js';
import { VoiceType } from './story.type.js';

@Resolver(() => VoiceType)
export class VoiceResolver {
  @FieldResolver(() => String, {
    description:
      'The first language of the voice, as a BCP 47 tag, so that a client can show the name of the language. `und` if the speech provider states none.',
  })
  locale(@Root() voice: Voice): string {
    return localeOf(voice);
  }

  @FieldResolver(() => String, {
    nullable: true,
    description:
      'The address of an MP3 of a few seconds in the first language of the voice, to hear before paying. It needs no token, and is made on its first request, so an answer may be 503 with Retry-After. It changes when the sound of the voice changes. Null when there is no sample.',
  })
  sampleUrl(@Root() voice: Voice, @Ctx() { app }: Context): string | null {
    return sampleUrlOf(app, voice);
  }
}
