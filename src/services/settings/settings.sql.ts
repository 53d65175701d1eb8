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

/** The tags of published stories, those with the most stories first. It reads all rows of stories. */
export const readTags = (db: Reader, limit: number): Promise<TagCount[]> =>
  db.$queryRaw<TagCount[]>`
    SELECT tag, count(*)::int AS stories FROM stories, unnest(tags) AS tag
    WHERE published AND deleted_at IS NULL
    GROUP BY tag ORDER BY count(*) DESC, tag COLLATE "C" LIMIT ${limit}`;

/** The languages of published stories, those with the most stories first. Index: stories_published_language. */
export const readLanguages = (db: Reader, limit: number): Promise<LanguageCount[]> =>
  db.$queryRaw<LanguageCount[]>`
    SELECT language, count(*)::int AS stories FROM stories
    WHERE published AND deleted_at IS NULL
    GROUP BY language ORDER BY count(*) DESC, language LIMIT ${limit}`;
