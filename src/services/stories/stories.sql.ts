import { PLANNED_ANEW, Prisma, type Reader, type Tx } from '../../infra/db.js';
import { containing, mentioning, WALKED_ROWS } from '../search/search.sql.js';
import { TITLE_KEY, type Reading } from './library-order.sql.js';

/** DRAFT before it is published, and REMOVED after it was deleted. */
export type StoryState = 'DRAFT' | 'PUBLISHED' | 'REMOVED';

/** A story without its text, which is read only on demand. */
export interface Story {
  readonly id: string;
  readonly slug: string;
  readonly title: string;
  readonly author: string;
  readonly language: string;
  readonly description: string | null;
  readonly coverUrl: string | null;
  /** As `#rrggbb`, in lower case. */
  readonly coverColor: string | null;
  /** Pixels. */
  readonly coverWidth: number | null;
  readonly coverHeight: number | null;
  /** In years. Null where there is no bound. */
  readonly ageFrom: number | null;
  readonly ageTo: number | null;
  /** In lower case, without repetitions. */
  readonly tags: readonly string[];
  readonly published: boolean;
  /** Whether recordings begin with the title and the author. */
  readonly announced: boolean;
  readonly textHash: string;
  /** Unicode code points. */
  readonly characterCount: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly state: StoryState;
  /** What the order by title compares. */
  readonly titleKey: string;
}

export const STORIES = Prisma.sql`
  SELECT s.id, s.slug, s.title, s.author, s.language, s.description, s.cover_url AS "coverUrl", s.published, s.announced,
         s.text_hash AS "textHash", t.character_count AS "characterCount", s.created_at AS "createdAt",
         s.updated_at AS "updatedAt", s.cover_color AS "coverColor", s.cover_width AS "coverWidth",
         s.cover_height AS "coverHeight", s.age_from AS "ageFrom", s.age_to AS "ageTo", s.tags,
         ${TITLE_KEY} AS "titleKey",
         CASE WHEN s.deleted_at IS NOT NULL THEN 'REMOVED' WHEN s.published THEN 'PUBLISHED' ELSE 'DRAFT' END AS state
  FROM stories s JOIN story_texts t ON t.hash = s.text_hash`;

/** `en` matches en and en-GB; `en-GB` matches only itself. */
export const inLanguage = (tag: string): Prisma.Sql =>
  Prisma.sql`AND (s.language = ${tag} OR starts_with(s.language, ${`${tag}-`}))`;

/** Which stories of the library are wanted. */
export interface Wanted {
  readonly language: string | null;
  /** Folded. */
  readonly words: readonly string[];
  /** Stories that have all of these. */
  readonly tags: readonly string[];
  /** Stories that are for listeners of this age, in years. Stories that state no ages are left out. */
  readonly age: number | null;
}

const forAge = (age: number): Prisma.Sql =>
  Prisma.sql`AND ${age} BETWEEN coalesce(s.age_from, 0) AND coalesce(s.age_to, 99) AND num_nonnulls(s.age_from, s.age_to) > 0`;

const inLibrary = ({ language, tags, age }: Wanted): Prisma.Sql =>
  Prisma.sql`s.published AND s.deleted_at IS NULL ${language === null ? Prisma.empty : inLanguage(language)}
    ${tags.length === 0 ? Prisma.empty : Prisma.sql`AND s.tags @> ${[...tags]}::text[] ${PLANNED_ANEW}`}
    ${age === null ? Prisma.empty : forAge(age)}`;

/** A query of the published stories that are wanted. Indexes: those of `readLibrary`. */
export const libraryQuery = (wanted: Wanted): Prisma.Sql =>
  Prisma.sql`SELECT FROM stories s WHERE ${inLibrary(wanted)}
    ${wanted.words.length === 0 ? Prisma.empty : containing(Prisma.sql`s.search_text`, wanted.words)}`;

/**
 * Published stories in an order of the library. Indexes: that of the order; stories_search for words that few stories
 * have; stories_published_tags for tags that few stories have.
 */
export async function readLibrary(
  db: Reader,
  { keyset: { within, order, page }, limit }: Reading,
  wanted: Wanted,
): Promise<Story[]> {
  const { words } = wanted;
  const listed = Prisma.sql`${inLibrary(wanted)} ${within}`;
  if (words.length === 0) return db.$queryRaw<Story[]>`${STORIES} WHERE ${listed} ${page}`;
  const searchText = Prisma.sql`s.search_text`;
  const first = await db.$queryRaw<Story[]>`${STORIES}
    WHERE s.id IN (SELECT s.id FROM stories s WHERE ${listed} ${order} LIMIT ${WALKED_ROWS})
      ${mentioning(searchText, words)} ${page}`;
  if (first.length > limit) return first;
  return db.$queryRaw<Story[]>`${STORIES}
    WHERE ${listed} ${containing(searchText, words)} ${page}`;
}

/** One story that is not deleted. Indexes: stories_pkey, stories_slug_of_living. */
export async function readStory(
  db: Reader,
  wanted: { id: string } | { slug: string },
): Promise<Story | undefined> {
  const [story] = await db.$queryRaw<Story[]>`${STORIES}
    WHERE ${'id' in wanted ? Prisma.sql`s.id = ${wanted.id}::uuid` : Prisma.sql`s.slug = ${wanted.slug}`}
      AND s.deleted_at IS NULL`;
  return story;
}

/** Stories by id, including deleted ones. Index: stories_pkey. */
export function readStories(db: Reader, ids: readonly string[]): Promise<Story[]> {
  return db.$queryRaw<Story[]>`${STORIES} WHERE s.id = ANY(${ids}::uuid[])`;
}

/**
 * Stores a text unless another story has stored it already. A text that was marked as unused is in use again. The row
 * is locked until the end of the transaction, so that it is not pruned meanwhile. Index: story_texts_pkey.
 */
export const keepText = (
  tx: Tx,
  text: { readonly hash: string; readonly content: string; readonly characterCount: number },
): Promise<number> =>
  tx.$executeRaw`
    INSERT INTO story_texts (hash, content, character_count)
    VALUES (${text.hash}, ${text.content}, ${text.characterCount})
    ON CONFLICT (hash) DO UPDATE SET unused_since = NULL WHERE story_texts.unused_since IS NOT NULL`;

/** Serialises transactions that choose a slug, until the end of each, because two stories may have the same title. */
export const lockSlugs = (tx: Tx): Promise<number> =>
  tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('talebank story slugs'))`;
