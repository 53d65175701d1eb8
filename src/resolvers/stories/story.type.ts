import { Field, Int, ObjectType } from 'type-graphql';
import type { Story } from '../../services/stories/stories.js';
import { StoryState } from '../enums.js';
import { connectionOf } from '../paging.js';
import { Node } from '../node.js';

@ObjectType('Story', {
  implements: Node,
  description: 'A story in the library, to read and to have narrated.',
})
export class StoryType implements Story {
  id!: string;

  @Field(() => String, {
    description: 'The name of the story in URLs, unique in the library.',
  })
  slug!: string;

  @Field(() => String, { description: 'The title.' })
  title!: string;

  @Field(() => String, { description: 'The author.' })
  author!: string;

  @Field(() => String, {
    description: 'The language of the story, as a BCP 47 tag, for example `en` or `pl`.',
  })
  language!: string;

  @Field(() => String, {
    nullable: true,
    description: 'A short description. Null when there is none.',
  })
  description!: string | null;

  @Field(() => Int, {
    description:
      'The length of `content` in Unicode code points, which determines the price of a narration.',
  })
  characterCount!: number;

  @Field(() => String, {
    nullable: true,
    description: 'The URL of the cover image. Null when there is none.',
  })
  coverUrl!: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      'The main colour of the cover image, as `#rrggbb` in lower case, to show before the image is loaded. Null when the editor gave none.',
  })
  coverColor!: string | null;

  @Field(() => Int, {
    nullable: true,
    description: 'The width of the cover image in pixels. Null when the editor gave none.',
  })
  coverWidth!: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'The height of the cover image in pixels. Null when the editor gave none.',
  })
  coverHeight!: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'The age in years from which the story is suitable. Null when there is no bound.',
  })
  ageFrom!: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'The age in years up to which the story is suitable. Null when there is no bound.',
  })
  ageTo!: number | null;

  @Field(() => [String], {
    description: 'What the story is about: up to 10 tags of up to 30 characters, in lower case.',
  })
  tags!: readonly string[];

  @Field(() => Boolean, { description: 'Whether listeners can see the story in the library.' })
  published!: boolean;

  @Field(() => Boolean, {
    description: 'Whether new recordings begin with the title and the author.',
  })
  announced!: boolean;

  @Field(() => StoryState, {
    description: 'Whether the story is a draft, is published, or was deleted.',
  })
  state!: Story['state'];

  @Field(() => Date, { description: 'When the story was added to the library.' })
  createdAt!: Date;

  @Field(() => Date, { description: 'When the story was last edited.' })
  updatedAt!: Date;

  textHash!: string;
  titleKey!: string;
}

export const StoryConnection = connectionOf('Story', () => StoryType, { counted: true });

@ObjectType('Voice', { implements: Node, description: 'A voice that can narrate stories.' })
export class VoiceType {
  id!: string;

  @Field(() => String, { description: 'The display name of the voice.' })
  name!: string;

  @Field(() => [String], { description: 'The languages that the voice speaks, as BCP 47 tags.' })
  languages!: readonly string[];

  @Field(() => String, {
    nullable: true,
    description:
      'The gender of the voice, `female` or `male`. Null when the speech provider does not state it.',
  })
  gender!: string | null;

  @Field(() => String, { description: 'The name of the speech provider.' })
  provider!: string;
}
