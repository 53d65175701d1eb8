import type { Reader } from '../../infra/db.js';

/** A language of the library, as a BCP 47 tag, and the number of its published stories. */
export interface LanguageCount {
  readonly language: string;
  readonly stories: number;
}

/** A tag of the library, and the number of its published stories. */
export interface TagCount {
  readonly tag: string;
  readonly stories: number;
}

/**
 * The tags of published stories, those with the most stories first. Triggers of the stories keep the counts.
 * Index: library_counts_kind_stories_value_idx.
 */
export const readTags = (db: Reader, limit: number): Promise<TagCount[]> =>
  db.$queryRaw<TagCount[]>`
    SELECT value AS tag, stories FROM library_counts WHERE kind = 'TAG'
    ORDER BY stories DESC, value LIMIT ${limit}`;

/** The languages of published stories, as `readTags` reads the tags. */
export const readLanguages = (db: Reader, limit: number): Promise<LanguageCount[]> =>
  db.$queryRaw<LanguageCount[]>`
    SELECT value AS language, stories FROM library_counts WHERE kind = 'LANGUAGE'
    ORDER BY stories DESC, value LIMIT ${limit}`;
