import { ArgsType, Field, ID, InputType } from 'type-graphql';
import type { StoryInput } from '../../services/stories/stories.js';
import { PageArgs } from '../paging.js';

@ArgsType()
export class StoriesArgs extends PageArgs {
  @Field(() => String, {
    nullable: true,
    description: 'Only stories in this language; `en` also finds `en-GB`.',
  })
  language?: string | null;

  @Field(() => String, {
    nullable: true,
    description:
      'Only stories whose title, author and description have all these words or parts of words, whatever their order, case and marks.',
  })
  search?: string | null;
}

@ArgsType()
export class StoryArgs {
  @Field(() => ID, { nullable: true, description: 'Its id, or …' })
  id?: string | null;

  @Field(() => String, { nullable: true, description: '… its slug: one of the two.' })
  slug?: string | null;
}

@InputType('StoryInput', { description: 'A story as an administrator writes it.' })
export class StoryInputType implements StoryInput {
  @Field(() => String, {
    nullable: true,
    description:
      'Lower-case letters, digits and hyphens. When absent: made from the title when created, kept when updated.',
  })
  slug?: string | null;

  @Field(() => String, { description: 'One line, up to 200 characters.' })
  title!: string;

  @Field(() => String, { description: 'One line, up to 200 characters.' })
  author!: string;

  @Field(() => String, { description: 'BCP 47 tag, for example `en` or `pl`.' })
  language!: string;

  @Field(() => String, { nullable: true, description: 'Up to 1,000 characters.' })
  description?: string | null;

  @Field(() => String, { description: 'The words, 1 to 200,000 code points. Kept in NFC.' })
  content!: string;

  @Field(() => String, { nullable: true, description: 'An http or https address.' })
  coverUrl?: string | null;

  @Field(() => Boolean, {
    nullable: true,
    defaultValue: false,
    description: 'Whether listeners can see it.',
  })
  published?: boolean | null;
}
