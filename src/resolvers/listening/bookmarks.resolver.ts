import {
  Arg,
  Args,
  ArgsType,
  Ctx,
  Field,
  FieldResolver,
  ID,
  Int,
  Mutation,
  Resolver,
  Root,
} from 'type-graphql';
import { ledgerKey } from '../../services/credits/credits.js';
import {
  addBookmark,
  BOOKMARKS_DEFAULT,
  firstBookmarks,
  removeBookmark,
  type Bookmark,
} from '../../services/listening/bookmarks.js';
import type { AudioView } from '../../services/narrations/audios.js';
import { AudioType } from '../audio/audio.type.js';
import { signedIn, type Context } from '../context.js';
import { must } from '../loaders.js';
import { BookmarkType } from './listening.type.js';

@ArgsType()
class AddBookmarkArgs {
  @Field(() => ID, { description: 'The id of one of your narrations.' })
  audioId!: string;

  @Field(() => Int, {
    description: 'The position in milliseconds, 0 to 172,800,000 (48 hours).',
  })
  positionMs!: number;

  @Field(() => String, {
    nullable: true,
    description: 'A note, up to 500 characters. None by default.',
  })
  note?: string | null;
}

@Resolver(() => BookmarkType)
export class BookmarkResolver {
  @Mutation(() => BookmarkType, {
    description:
      'Marks a place in one of your narrations. NOT_FOUND for a narration that is not yours. CONFLICT when it has 100 bookmarks already, or you have 2,000.',
  })
  addBookmark(
    @Ctx() context: Context,
    @Args(() => AddBookmarkArgs) args: AddBookmarkArgs,
  ): Promise<Bookmark> {
    return addBookmark(context.app, signedIn(context).userId, args);
  }

  @Mutation(() => Boolean, {
    description: 'Removes one of your bookmarks. Returns true. NOT_FOUND for any other id.',
  })
  async removeBookmark(
    @Ctx() context: Context,
    @Arg('id', () => ID, { description: 'The id of the bookmark.' }) id: string,
  ): Promise<boolean> {
    await removeBookmark(context.app, signedIn(context).userId, id);
    return true;
  }

  @FieldResolver(() => AudioType, { description: 'The narration.' })
  audio(@Root() { userId, audioId }: Bookmark, @Ctx() { loaders }: Context): Promise<AudioView> {
    return must(loaders.audios.load(ledgerKey(userId, audioId)));
  }
}

@Resolver(() => AudioType)
export class AudioBookmarksResolver {
  @FieldResolver(() => [BookmarkType], {
    description: 'The places that you have marked, in their order in the recording.',
  })
  async bookmarks(
    @Root() audio: AudioView,
    @Ctx() { loaders }: Context,
    @Arg('first', () => Int, {
      nullable: true,
      defaultValue: BOOKMARKS_DEFAULT,
      description: 'The greatest number of bookmarks, 1 to 100.',
    })
    first: number | null,
  ): Promise<Bookmark[]> {
    const loaded = loaders.bookmarks.load(ledgerKey(audio.userId, audio.id));
    return firstBookmarks((await loaded) ?? [], { first });
  }
}
