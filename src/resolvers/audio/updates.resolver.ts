import { Arg, ID, Resolver, Root, Subscription } from 'type-graphql';
import { followAudio } from '../../services/live/follow.js';
import type { AudioView } from '../../services/narrations/audios.js';
import { subscriberOf, type Context } from '../context.js';
import { AudioType } from './audio.type.js';

@Resolver()
export class AudioUpdatesResolver {
  @Subscription(() => AudioType, {
    description:
      'One of your narrations. The first event has its current state, and each further event the state after a change of `status` or `progress`. NOT_FOUND for any other id.',
    subscribe: ({ args, context }: { args: { id: string }; context: Context }) =>
      followAudio(context.app, subscriberOf(context), args.id),
  })
  audioUpdated(
    @Root() audio: AudioView,
    @Arg('id', () => ID, { description: 'The id of the narration.' }) _id: string,
  ): AudioView {
    return audio;
  }
}
