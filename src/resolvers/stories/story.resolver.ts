import {
  Arg,
  Args,
  Ctx,
  FieldResolver,
  ID,
  Int,
  Mutation,
  Query,
  Resolver,
  Root,
} from 'type-graphql';
import { audiosOfStory } from '../../services/narrations/audios.js';
import { secondsOfStory } from '../../services/narrations/timeline/expected.js';
import { priceOfStory } from '../../services/narrations/request-narration.js';
import {
  createStory,
  deleteStory,
  findStory,
  listStories,
  updateStory,
  type Story,
} from '../../services/stories/stories.js';
import { seesEverybody } from '../../services/sessions/viewer.js';
import { listVoices, type Voice } from '../../services/stories/voices.js';
import { reserveCharacters } from '../documents/answer-size.js';
import { AudioType } from '../audio/audio.type.js';
import { findAsViewer, signedIn, viewerOrStranger, type Context } from '../context.js';
import { must } from '../loaders.js';
import { toConnection, type Connection } from '../paging.js';
import { StoriesArgs, StoryArgs, StoryInputType } from './story.input.js';
import { StoryConnection, StoryType, VoiceType } from './story.type.js';

@Resolver(() => StoryType)
export class StoryResolver {
  @Query(() => StoryConnection, {
    description: 'The published stories, by default in the order in which they were added. Public.',
  })
  async stories(
    @Ctx() { app }: Context,
    @Args(() => StoriesArgs) args: StoriesArgs,
  ): Promise<Connection<Story>> {
    return toConnection(await listStories(app, args));
  }

  @Query(() => StoryType, {
    nullable: true,
    description:
      'A published story, by id or slug. Public. NOT_FOUND when there is none. Administrators and auditors can also read unpublished stories.',
  })
  story(@Ctx() context: Context, @Args(() => StoryArgs) args: StoryArgs): Promise<Story> {
    const unpublished = seesEverybody(context.viewer);
    return findAsViewer(context, findStory(context.app, args, { unpublished }));
  }

  @Query(() => [VoiceType], {
    description: 'The voices that are available for narrations. Public.',
  })
  voices(
    @Ctx() { app }: Context,
    @Arg('language', () => String, {
      nullable: true,
      description:
        'Only voices that speak this language, a BCP 47 tag. `en` also matches `en-GB`, and `en-GB` also matches `en`.',
    })
    language?: string | null,
  ): Promise<Voice[]> {
    return listVoices(app, { language: language ?? null });
  }

  @FieldResolver(() => String, { description: 'The full text of the story.' })
  content(@Root() story: Story, @Ctx() { answerSize, loaders }: Context): Promise<string> {
    reserveCharacters(answerSize, story.characterCount);
    return must(loaders.contents.load(story.textHash));
  }

  @FieldResolver(() => Int, { description: 'The price of a narration of this story, in points.' })
  requiredCredits(@Root() story: Story, @Ctx() { app }: Context): number {
    return priceOfStory(app, story);
  }

  @FieldResolver(() => Int, {
    description:
      'The estimated playing time of a narration in seconds, from the newest recordings in this voice. Without a voice, or without recordings, it is estimated from the usual reading speed of the language.',
  })
  expectedSeconds(
    @Root() story: Story,
    @Ctx() { loaders }: Context,
    @Arg('voiceId', () => ID, { nullable: true, description: 'The voice.' })
    voiceId?: string | null,
  ): Promise<number> {
    return secondsOfStory(loaders.speeds, story, voiceId ?? null);
  }

  @FieldResolver(() => [AudioType], {
    description:
      'Your own narrations of this story, newest first. Empty without an access token. UNAUTHENTICATED when the access token is invalid or expired.',
  })
  audio(
    @Root() story: Story,
    @Ctx() context: Context,
    @Arg('voiceId', () => ID, { nullable: true, description: 'Only narrations in this voice.' })
    voiceId?: string | null,
  ): Promise<AudioType[]> {
    const { storyAudios } = context.loaders;
    return audiosOfStory(storyAudios, viewerOrStranger(context), story, voiceId ?? null);
  }

  @Mutation(() => StoryType, { description: 'Adds a story to the library. Administrators only.' })
  createStory(
    @Ctx() context: Context,
    @Arg('input', () => StoryInputType, { description: 'The story.' }) input: StoryInputType,
  ): Promise<Story> {
    return createStory(context.app, input, signedIn(context).userId);
  }

  @Mutation(() => StoryType, {
    description:
      'Replaces a story. Existing narrations of the old text are unchanged. Administrators only.',
  })
  updateStory(
    @Ctx() context: Context,
    @Arg('id', () => ID, { description: 'The id of the story.' }) id: string,
    @Arg('input', () => StoryInputType, {
      description: 'The complete story. Fields that are left out get their defaults.',
    })
    input: StoryInputType,
  ): Promise<Story> {
    return updateStory(context.app, id, input, signedIn(context).userId);
  }

  @Mutation(() => Boolean, {
    description:
      'Removes a story from the library. Users keep the narrations that they paid for. Returns true. Administrators only.',
  })
  async deleteStory(
    @Ctx() context: Context,
    @Arg('id', () => ID, { description: 'The id of the story.' }) id: string,
  ): Promise<boolean> {
    await deleteStory(context.app, id, signedIn(context).userId);
    return true;
  }
}
