import { z } from 'zod';
import type { App } from '../../app.js';
import { badUserInput, notFound } from '../../domain/errors.js';
import { isId, newId } from '../../domain/ids.js';
import { cursorsOf, pageOf, windowOf, type Page, type PageArguments } from '../../domain/paging.js';
import { countCodePoints, sha256Hex, slugify } from '../../domain/text.js';
import { isUniqueViolation, transact, type Tx } from '../../infra/db.js';
import { language, line, parseRequest, text } from '../validation.js';

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

type StoryRow = Omit<Story, 'characterCount'> & { text: { characterCount: number } };
const withCount = { text: { select: { characterCount: true } } } as const;
const storyOf = ({ text: { characterCount }, ...row }: StoryRow): Story => ({
  ...row,
  characterCount,
});

const cursors = cursorsOf('stories', z.uuid());

/** Published stories in the order in which they came into the library. */
export async function listStories(
  app: App,
  args: PageArguments & { language?: string | null; search?: string | null },
): Promise<Page<Story>> {
  const window = windowOf(args, cursors);
  const wanted = parseRequest(listing, args);
  const rows = await app.db.story.findMany({
    where: {
      published: true,
      deletedAt: null,
      AND: [
        window.after === null ? {} : { id: { gt: window.after } },
        window.before === null ? {} : { id: { lt: window.before } },
        wanted.language === undefined ? {} : inLanguage(wanted.language),
        wanted.search === undefined ? {} : mentioning(wanted.search),
      ],
    },
    include: withCount,
    orderBy: { id: window.backward ? 'desc' : 'asc' },
    take: window.limit + 1,
  });
  return pageOf(rows.map(storyOf), window, cursors, (story) => story.id);
}

const listing = z.object({
  language: language.nullish().transform((tag) => tag ?? undefined),
  search: line(0, 200)
    .nullish()
    .transform((words) => (words === '' ? undefined : (words ?? undefined))),
});

/** `en` finds en and en-GB; `en-GB` only itself. */
const inLanguage = (tag: string): object => ({
  OR: [{ language: tag }, { language: { startsWith: `${tag}-` } }],
});

/** Prisma passes the words on as a pattern: what is special in one is escaped. */
function mentioning(words: string): object {
  const contains = { contains: words.replace(/[\\%_]/g, '\\$&'), mode: 'insensitive' as const };
  return { OR: [{ title: contains }, { author: contains }, { description: contains }] };
}

/**
 * One story of the library. Unpublished ones are there for administrators only.
 * @throws NOT_FOUND, BAD_USER_INPUT when not exactly one of id and slug is given
 */
export async function findStory(
  app: App,
  wanted: { id?: string | null; slug?: string | null },
  options: { unpublished: boolean },
): Promise<Story> {
  const { id = null, slug = null } = wanted;
  if ((id === null) === (slug === null)) throw badUserInput('id', 'give either id or slug');
  if (id !== null && !isId(id)) throw notFound('story');
  const row = await app.db.story.findFirst({
    where: {
      deletedAt: null,
      ...(id === null ? { slug: (slug ?? '').replaceAll('\0', '') } : { id }),
      ...(options.unpublished ? {} : { published: true }),
    },
    include: withCount,
  });
  if (row === null) throw notFound('story');
  return storyOf(row);
}

/** Stories by id, also deleted and unpublished ones: those who paid for them keep them. */
export async function storiesById(app: App, ids: readonly string[]): Promise<Map<string, Story>> {
  const rows = await app.db.story.findMany({ where: { id: { in: [...ids] } }, include: withCount });
  return new Map(rows.map((row) => [row.id, storyOf(row)]));
}

/** The words of stories by the hash of their text. */
export async function contentsByHash(
  app: App,
  hashes: readonly string[],
): Promise<Map<string, string>> {
  const rows = await app.db.storyText.findMany({ where: { hash: { in: [...hashes] } } });
  return new Map(rows.map(({ hash, content }) => [hash, content]));
}

export interface StoryInput {
  readonly slug?: string | null;
  readonly title: string;
  readonly author: string;
  readonly language: string;
  readonly description?: string | null;
  readonly content: string;
  readonly coverUrl?: string | null;
  readonly published?: boolean | null;
}

const storyInput = z.object({
  slug: z
    .string()
    .max(100, 'must be at most 100 characters')
    .regex(
      /^[a-z0-9]+(-[a-z0-9]+)*$/,
      'must be lower-case letters and digits between single hyphens',
    )
    .nullish(),
  title: line(1, 200),
  author: line(1, 200),
  language,
  description: text(0, 1000)
    .nullish()
    .transform((words) => words ?? null),
  content: text(1, 200_000).refine((words) => /\S/u.test(words), 'must not be blank'),
  coverUrl: z
    .url({ protocol: /^https?$/, error: 'must be an http or https address' })
    .max(2000, 'must be at most 2,000 characters')
    .nullish()
    .transform((address) => address ?? null),
  published: z
    .boolean()
    .nullish()
    .transform((published) => published ?? false),
});

/**
 * Adds a story to the library. The slug is made from the title when absent.
 * @throws BAD_USER_INPUT, also for a slug that another story has
 */
export async function createStory(app: App, input: StoryInput): Promise<Story> {
  const story = parseRequest(storyInput, input);
  return saving(story.slug ?? null, () =>
    transact(app.db, async (tx) => {
      const slug = story.slug ?? (await freeSlug(tx, story.title));
      const data = { ...story, slug, ...(await saveText(tx, story.content)) };
      return tx.story.create({
        data: { id: newId(), ...withoutContent(data) },
        include: withCount,
      });
    }),
  );
}

/**
 * Replaces a story. Narrations that were made of the old text stay as they are.
 * @throws BAD_USER_INPUT, NOT_FOUND
 */
export async function updateStory(app: App, id: string, input: StoryInput): Promise<Story> {
  const story = parseRequest(storyInput, input);
  if (!isId(id)) throw notFound('story');
  return saving(story.slug ?? null, () =>
    transact(app.db, async (tx) => {
      const found = await tx.story.findFirst({ where: { id, deletedAt: null } });
      if (found === null) throw notFound('story');
      const data = {
        ...story,
        slug: story.slug ?? found.slug,
        ...(await saveText(tx, story.content)),
      };
      return tx.story.update({ where: { id }, data: withoutContent(data), include: withCount });
    }),
  );
}

/**
 * Takes a story out of the library. Its narrations stay with those who paid for them.
 * @throws NOT_FOUND
 */
export async function deleteStory(app: App, id: string): Promise<void> {
  const deleted = isId(id)
    ? await app.db.story.updateMany({
        where: { id, deletedAt: null },
        data: { deletedAt: new Date() },
      })
    : { count: 0 };
  if (deleted.count === 0) throw notFound('story');
}

function withoutContent<Data extends { content: string }>({
  content: _content,
  ...rest
}: Data): Omit<Data, 'content'> {
  return rest;
}

async function saving(slug: string | null, work: () => Promise<StoryRow>): Promise<Story> {
  try {
    return storyOf(await work());
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw badUserInput('slug', `${slug ?? 'the one made from the title'} belongs to another story`);
  }
}

async function saveText(tx: Tx, content: string): Promise<{ textHash: string }> {
  const hash = sha256Hex(content);
  await tx.$executeRaw`
    INSERT INTO story_texts (hash, content, character_count)
    VALUES (${hash}, ${content}, ${countCodePoints(content)}) ON CONFLICT (hash) DO NOTHING`;
  return { textHash: hash };
}

/** The title's own slug, or with the first number that is free behind it. */
async function freeSlug(tx: Tx, title: string): Promise<string> {
  // Two stories of one title at once take their turn, to the end of the transaction.
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('talebank story slugs'))`;
  const base = slugify(title) || 'story';
  const taken = await tx.story.findMany({
    where: { deletedAt: null, OR: [{ slug: base }, { slug: { startsWith: `${base}-` } }] },
    select: { slug: true },
  });
  const slugs = new Set(taken.map((story) => story.slug));
  let slug = base;
  for (let number = 2; slugs.has(slug); number += 1) slug = `${base}-${String(number)}`;
  return slug;
}
