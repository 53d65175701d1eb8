import { ArgsType, Field, ID, InputType, Int } from 'type-graphql';
import type { StoriesFilter, StoryInput, StoryOrder } from '../../services/stories/stories.js';
import { StoryOrder as StoryOrderEnum } from '../enums.js';
import { PageArgs } from '../paging.js';

@ArgsType()
export class StoriesArgs extends PageArgs implements StoriesFilter {
  @Field(() => String, {
    nullable: true,
    description: 'Only stories in this language, a BCP 47 tag. `en` also matches `en-GB`.',
  })
  language?: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      'Only stories with all of these words in their title, author and description taken together. A word also matches a part of a longer word. Order, case and diacritics are ignored. Up to 200 characters.',
  })
  search?: string | null;

  @Field(() => [String], {
    nullable: true,
    description: 'Only stories with all of these tags. Case is ignored. At most 10.',
  })
  tags?: readonly string[] | null;

  @Field(() => Int, {
    nullable: true,
    description:
      'Only stories that are for listeners of this age, 0 to 99 years. Stories that state no ages are left out.',
  })
  age?: number | null;

  @Field(() => StoryOrderEnum, {
    nullable: true,
    defaultValue: StoryOrderEnum.LIBRARY,
    description:
      'The order of the stories. A cursor is valid only in the order that it was made in.',
  })
  order?: StoryOrder | null;
}

@ArgsType()
export class StoryArgs {
  @Field(() => ID, {
    nullable: true,
    description: 'The id of the story. Give either `id` or `slug`.',
  })
  id?: string | null;

  @Field(() => String, {
    nullable: true,
    description: 'The slug of the story. Give either `id` or `slug`.',
  })
  slug?: string | null;
}

@InputType('StoryInput', { description: 'The content and the properties of a story.' })
export class StoryInputType implements StoryInput {
  @Field(() => String, {
    nullable: true,
    description:
      'The name of the story in URLs: lower-case letters and digits between single hyphens, up to 100 characters. By default, `createStory` makes one from the title, and `updateStory` keeps the current one.',
  })
  slug?: string | null;

  @Field(() => String, { description: 'The title: one line of 1 to 200 characters.' })
  title!: string;

  @Field(() => String, { description: 'The author: one line of 1 to 200 characters.' })
  author!: string;

  @Field(() => String, {
    description: 'The language of the story, as a BCP 47 tag, for example `en` or `pl`.',
  })
  language!: string;

  @Field(() => String, {
    nullable: true,
    description: 'A short description, up to 1,000 characters. None by default.',
  })
  description?: string | null;

  @Field(() => String, {
    description: 'The text of the story, 1 to 200,000 Unicode code points. It is stored in NFC.',
  })
  content!: string;

  @Field(() => String, {
    nullable: true,
    description: 'The http or https URL of a cover image, up to 2,000 characters. None by default.',
  })
  coverUrl?: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      'The main colour of the cover image, as `#rrggbb`. Requires `coverUrl`. None by default.',
  })
  coverColor?: string | null;

  @Field(() => Int, {
    nullable: true,
    description:
      'The width of the cover image in pixels, 1 to 20,000. Requires `coverUrl` and `coverHeight`. None by default.',
  })
  coverWidth?: number | null;

  @Field(() => Int, {
    nullable: true,
    description:
      'The height of the cover image in pixels, 1 to 20,000. Requires `coverUrl` and `coverWidth`. None by default.',
  })
  coverHeight?: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'The age in years from which the story is suitable, 0 to 99. No bound by default.',
  })
  ageFrom?: number | null;

  @Field(() => Int, {
    nullable: true,
    description:
      'The age in years up to which the story is suitable, 0 to 99, and not less than `ageFrom`. No bound by default.',
  })
  ageTo?: number | null;

  @Field(() => [String], {
    nullable: true,
    description:
      'What the story is about: up to 10 tags, each one line of 1 to 30 characters without commas. They are stored in lower case, without duplicates. None by default.',
  })
  tags?: string[] | null;

  @Field(() => Boolean, {
    nullable: true,
    defaultValue: false,
    description: 'Whether listeners can see the story. False by default.',
  })
  published?: boolean | null;

  @Field(() => Boolean, {
    nullable: true,
    defaultValue: true,
    description:
      'Whether new recordings begin with the title and the author. Existing recordings stay as they are. Default true.',
  })
  announced?: boolean | null;
}
