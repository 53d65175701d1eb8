import { Field, Int, ObjectType } from 'type-graphql';
import type { Story } from '../../services/stories/stories.js';
import { connectionOf } from '../paging.js';
import { Node } from '../node.js';

@ObjectType('Story', {
  implements: Node,
  description: 'A tale of the library, to read and to have narrated.',
})
export class StoryType implements Story {
  id!: string;

  @Field(() => String, {
    description: 'The name of the story in an address, unique in the library.',
  })
  slug!: string;

  @Field(() => String, { description: 'The title.' })
  title!: string;

  @Field(() => String, { description: 'Who wrote it.' })
  author!: string;

  @Field(() => String, {
    description: 'The language it is written in, as a BCP 47 tag, for example `en` or `pl`.',
  })
  language!: string;

  @Field(() => String, { nullable: true, description: 'A sentence or two for the library card.' })
  description!: string | null;

  @Field(() => Int, { description: 'Unicode code points of the content: an emoji counts as one.' })
  characterCount!: number;

  @Field(() => String, { nullable: true, description: 'A picture; null when there is none.' })
  coverUrl!: string | null;

  @Field(() => Boolean, { description: 'Whether listeners can see it in the library.' })
  published!: boolean;

  @Field(() => Date, { description: 'When it came into the library.' })
  createdAt!: Date;

  @Field(() => Date, { description: 'When it was last edited.' })
  updatedAt!: Date;

  textHash!: string;
}

export const StoryConnection = connectionOf('Story', () => StoryType);

@ObjectType('Voice', { implements: Node, description: 'A voice that can narrate.' })
export class VoiceType {
  id!: string;

  @Field(() => String, { description: 'What people call it.' })
  name!: string;

  @Field(() => [String], { description: 'The languages it speaks, as BCP 47 tags.' })
  languages!: readonly string[];

  @Field(() => String, {
    nullable: true,
    description: 'How it sounds, where the provider says so.',
  })
  gender!: string | null;

  @Field(() => String, { description: 'The speech engine behind it.' })
  provider!: string;
}
