import { FieldResolver, Resolver, Root } from 'type-graphql';
import { localeOf, type Voice } from '../../services/stories/voices.js';
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
}
