import { gramsOf, patternOf } from '../../domain/text.js';
import { isDistributed } from '../../infra/citus/placement.js';
import { PLANNED_ANEW, Prisma, type Db, type Reader } from '../../infra/db.js';

/**
 * The searchable tables, and the columns that their search texts are folded from. Stories have a folded title besides,
 * for their order.
 */
const SUBJECTS = {
  stories: {
    table: Prisma.raw('stories'),
    // Not concat_ws, which is not immutable: a distributed database calls only such functions when it writes every copy.
    words: Prisma.raw(`title || E'\\n' || author || coalesce(E'\\n' || description, '')`),
    title: Prisma.raw('title'),
    titleKey: Prisma.raw(', title_key = f.sorted'),
    // A process of an earlier release folds the words alone.
    unfolded: Prisma.raw('(search_text IS NULL OR title_key IS NULL)'),
  },
  users: {
    table: Prisma.raw('users'),
    words: Prisma.raw(`email || coalesce(E'\\n' || display_name, '')`),
    title: Prisma.raw(`''`),
    titleKey: Prisma.empty,
    unfolded: Prisma.raw('search_text IS NULL'),
  },
} as const;
export type Subject = keyof typeof SUBJECTS;

/**
 * The condition that a search text contains each of these folded words. The index finds candidates by trigrams. Words
 * that are all shorter than three characters are compared with each row. The statement is planned each time, because
 * the benefit of the index depends on how many rows have the words.
 */
export function containing(searchText: Prisma.Sql, words: readonly string[]): Prisma.Sql {
  const grams = gramsOf(words);
  const indexed = Prisma.sql`AND search_grams(${searchText}) @> ${grams}::text[]`;
  return Prisma.sql`${grams.length === 0 ? Prisma.empty : indexed} ${mentioning(searchText, words)}`;
}

/** Rows that are scanned in order before the index is used, because common words usually fill a page from these. */
export const WALKED_ROWS = 500;

/** The condition that a search text contains each of these folded words, compared row by row. */
export const mentioning = (searchText: Prisma.Sql, words: readonly string[]): Prisma.Sql =>
  Prisma.sql`AND ${searchText} LIKE ALL (${words.map(patternOf)}::text[]) ${PLANNED_ANEW}`;

/** A row that is not folded yet. */
interface Unfolded {
  readonly id: string;
  readonly words: string;
  /** Empty for a user. */
  readonly title: string;
}

interface Folded extends Unfolded {
  readonly folded: string;
  readonly titleKey: string;
}

/**
 * Rows that are not folded yet: a single one, or the next after a given id. No locks. Indexes: stories_unkeyed,
 * users_unfolded.
 */
export function readUnfolded(
  db: Reader,
  subject: Subject,
  wanted: { id: string } | { after: string; limit: number },
): Promise<Unfolded[]> {
  const { table, words, title, unfolded } = SUBJECTS[subject];
  const which =
    'id' in wanted
      ? Prisma.sql`AND id = ${wanted.id}::uuid`
      : Prisma.sql`AND id > ${wanted.after}::uuid ORDER BY id LIMIT ${wanted.limit}`;
  return db.$queryRaw<Unfolded[]>`
    SELECT id, ${words} AS words, ${title} AS title FROM ${table}
    WHERE ${unfolded} AND deleted_at IS NULL ${which}`;
}

/**
 * Writes folded texts, except for rows whose words have changed meanwhile, or that another transaction has written or
 * locked. The next search folds those.
 * @returns the number of rows. Indexes: stories_pkey, users_pkey.
 */
export async function writeFolded(
  db: Pick<Db, '$executeRaw' | '$queryRaw'>,
  subject: Subject,
  rows: readonly Folded[],
): Promise<number> {
  const { table, words, titleKey, unfolded } = SUBJECTS[subject];
  const ids = rows.map(({ id }) => id);
  const free = Prisma.sql`
    SELECT id FROM ${table} WHERE id = ANY(${ids}::uuid[]) AND ${unfolded} AND deleted_at IS NULL
    ORDER BY id FOR NO KEY UPDATE SKIP LOCKED`;
  const folded = Prisma.sql`
    unnest(${ids}::uuid[], ${rows.map((row) => row.words)}::text[], ${rows.map((row) => row.folded)}::text[],
      ${rows.map((row) => row.titleKey)}::text[]) AS f(id, words, folded, sorted)`;
  if (!isDistributed(db))
    return db.$executeRaw`
      WITH free AS MATERIALIZED (${free})
      UPDATE ${table} t SET search_text = f.folded${titleKey} FROM free, ${folded}
      WHERE t.id = free.id AND f.id = free.id AND ${words} = f.words`;
  // Two statements, because a table of which every node has a copy cannot be locked and written by one.
  const found = await db.$queryRaw<{ id: string }[]>`${free}`;
  return db.$executeRaw`
    UPDATE ${table} t SET search_text = f.folded${titleKey} FROM ${folded}
    WHERE t.id = f.id AND t.id = ANY(${found.map(({ id }) => id)}::uuid[])
      AND ${unfolded} AND t.deleted_at IS NULL AND ${words} = f.words`;
}
