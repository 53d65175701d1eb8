import { Ctx, Field, FieldResolver, Int, ObjectType, Query, Resolver } from 'type-graphql';
import {
  settingsOf,
  type LanguageCount,
  type Settings,
  type TagCount,
} from '../../services/settings/settings.js';
import type { Context } from '../context.js';
import { must } from '../loaders.js';

@ObjectType('LanguageCount', { description: 'A language of the library.' })
export class LanguageCountType implements LanguageCount {
  @Field(() => String, { description: 'A BCP 47 tag, for example `en` or `pl`.' })
  language!: string;

  @Field(() => Int, { description: 'The number of published stories in this language.' })
  stories!: number;
}

@ObjectType('TagCount', { description: 'A tag of the library.' })
export class TagCountType implements TagCount {
  @Field(() => String, { description: 'The tag, in lower case.' })
  tag!: string;

  @Field(() => Int, { description: 'The number of published stories with this tag.' })
  stories!: number;
}

@ObjectType('Settings', { description: 'What a client needs before the user signs in.' })
export class SettingsType implements Settings {
  @Field(() => String, { description: 'What points are called, for example `Story Points`.' })
  unitLabel!: string;

  @Field(() => Int, {
    description: 'The number of Unicode code points that one point pays for.',
  })
  unitSize!: number;

  @Field(() => Int, { description: 'The points for signing up. 0 when there are none.' })
  welcomePoints!: number;

  @Field(() => Int, { description: 'The least length of a password, in Unicode code points.' })
  passwordMinLength!: number;

  @Field(() => Boolean, { description: 'Whether points can be bought.' })
  purchases!: boolean;
}

@Resolver(() => SettingsType)
export class SettingsResolver {
  @Query(() => SettingsType, {
    description: 'What a client needs before the user signs in. Public.',
  })
  settings(@Ctx() { app }: Context): Settings {
    return settingsOf(app);
  }

  @FieldResolver(() => [LanguageCountType], {
    description:
      'The languages of the published stories, those with the most stories first. At most 100.',
  })
  languages(@Ctx() { loaders }: Context): Promise<LanguageCount[]> {
    return must(loaders.languages.load('library'));
  }

  @FieldResolver(() => [TagCountType], {
    description:
      'The tags of the published stories, those with the most stories first. At most 100.',
  })
  tags(@Ctx() { loaders }: Context): Promise<TagCount[]> {
    return must(loaders.tags.load('library'));
  }
}
