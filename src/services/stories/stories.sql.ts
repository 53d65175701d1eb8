import { patternOf } from '../../domain/text.js';
import type { Window } from '../../domain/paging.js';
import { Prisma, type Reader, type Tx } from '../../infra/db.js';

/** A story without its words, which are read only when they are asked for. */
export interface Story {
  readonly id: string;
  readonly slug: string;
  readonly title: string;
  readonly author: string;
  readonly language: string;
  readonly description: string | null;
  readonly coverUrl: string | null;
  readonly published: boolean;
  readonly textHash: string;
  /** Unicode code points. */
  readonly characterCount: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const STORIES = Prisma.sql`
  SELECT s.id, s.slug, s.title, s.author, s.language, s.description, s.cover_url AS "coverUrl", s.published,
         s.text_hash AS "textHash", t.character_count AS "characterCount", s.created_at AS "createdAt",
         s.updated_at AS "updatedAt"
  FROM stories s JOIN story_texts t ON t.hash = s.text_hash`;

/** `en` finds en and en-GB; `en-GB` only itself. */
const inLanguage = (tag: string): Prisma.Sql =>
  Prisma.sql`AND (s.language = ${tag} OR starts_with(s.language, ${`${tag}-`}))`;

const mentioning = (words: string): Prisma.Sql => {
  const pattern = patternOf(words);
  return Prisma.sql`AND (s.title ILIKE ${pattern} OR s.author ILIKE ${pattern} OR s.description ILIKE ${pattern})`;
};

/** Published stories in the order in which they came into the library. Index: stories_published. */
export function readLibrary(
  db: Reader,
  wanted: { window: Window<string>; language: string | null; search: string | null },
): Promise<Story[]> {
  const { window, language, search } = wanted;
  return db.$queryRaw<Story[]>`${STORIES}
    WHERE s.published AND s.deleted_at IS NULL
      ${window.after === null ? Prisma.empty : Prisma.sql`AND s.id > ${window.after}::uuid`}
      ${window.before === null ? Prisma.empty : Prisma.sql`AND s.id < ${window.before}::uuid`}
      ${language === null ? Prisma.empty : inLanguage(language)}
      ${search === null ? Prisma.empty : mentioning(search)}
    ORDER BY s.id ${window.backward ? Prisma.sql`DESC` : Prisma.sql`ASC`} LIMIT ${window.limit + 1}`;
}

/** One story that was not deleted. Indexes: stories_pkey, stories_slug_of_living. */
export async function readStory(
  db: Reader,
  wanted: { id: string } | { slug: string },
): Promise<Story | undefined> {
  const [story] = await db.$queryRaw<Story[]>`${STORIES}
    WHERE ${'id' in wanted ? Prisma.sql`s.id = ${wanted.id}::uuid` : Prisma.sql`s.slug = ${wanted.slug}`}
      AND s.deleted_at IS NULL`;
  return story;
}

/** Stories by id, also deleted ones. Index: stories_pkey. */
export function readStories(db: Reader, ids: readonly string[]): Promise<Story[]> {
  return db.$queryRaw<Story[]>`${STORIES} WHERE s.id = ANY(${ids}::uuid[])`;
}

/** Writes words down unless they are there already, whoever they were of. Index: story_texts_pkey. */
export const keepText = (
  tx: Tx,
  text: { readonly hash: string; readonly content: string; readonly characterCount: number },
): Promise<number> =>
  tx.$executeRaw`
    INSERT INTO story_texts (hash, content, character_count)
    VALUES (${text.hash}, ${text.content}, ${text.characterCount}) ON CONFLICT (hash) DO NOTHING`;

/** Two stories of one title at once take their turn, to the end of the transaction. */
export const lockSlugs = (tx: Tx): Promise<number> =>
  tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('talebank story slugs'))`;
