import { Arg, Ctx, FieldResolver, ID, Mutation, Resolver, Root } from 'type-graphql';
import { isFavourite, setFavourite } from '../../services/listening/favourites.js';
import { audiosOfStory, currentOf, type AudioView } from '../../services/narrations/audios.js';
import type { Story } from '../../services/stories/stories.js';
import { AudioType } from '../audio/audio.type.js';
import { signedIn, viewerOrStranger, type Context } from '../context.js';
import { StoryType } from '../stories/story.type.js';

@Resolver(() => StoryType)
export class FavouriteResolver {
  @Mutation(() => StoryType, {
    description:
      'Marks a story as one of your favourites, or removes the mark. Idempotent. NOT_FOUND for a story that you cannot see. CONFLICT when you have 5,000 favourites already.',
  })
  setFavourite(
    @Ctx() context: Context,
    @Arg('storyId', () => ID, { description: 'The id of the story.' }) storyId: string,
    @Arg('favourite', () => Boolean, { description: 'Whether it is a favourite.' })
    favourite: boolean,
  ): Promise<Story> {
    return setFavourite(context.app, signedIn(context), { storyId, favourite });
  }

  @FieldResolver(() => Boolean, {
    description: 'Whether it is one of your favourites. False without an access token.',
  })
  favourite(@Root() story: Story, @Ctx() context: Context): Promise<boolean> {
    return isFavourite(context.loaders.favourites, viewerOrStranger(context), story);
  }

  @FieldResolver(() => AudioType, {
    nullable: true,
    description:
      'Your narration to show with the story: the newest that is READY and of the present text, or else the newest. Null when you have none, and without an access token.',
  })
  async currentAudio(@Root() story: Story, @Ctx() context: Context): Promise<AudioView | null> {
    const { storyAudios } = context.loaders;
    const audios = await audiosOfStory(storyAudios, viewerOrStranger(context), story, null);
    return currentOf(audios, story);
  }
}
