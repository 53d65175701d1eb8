import { z } from 'zod';
import type { App } from '../app.js';
import { badUserInput, notFound } from '../../domain/errors.js';
import { isId, newId, type UserId } from '../../domain/ids.js';
import { cursorsOf, pageOf, windowOf, type Page, type PageArguments } from '../../domain/paging.js';
import { countCodePoints, isCleanText, sha256Hex, slugify } from '../../domain/text.js';
import { transact, type Tx } from '../../infra/db.js';
import { isUniqueViolation } from '../../infra/connections/database-errors.js';
import { changed, writeAudit, type AuditDetails } from '../audit.sql.js';
import { countRows } from '../counting.sql.js';
import { changesOf } from './changes.js';
import { foldBeforeSearch, foldNow } from '../search/fold.js';
import { language, line, paragraphs, parseRequest, searchWords, text } from '../validation.js';
import { webAddress } from '../web-address.js';
import {
  keepText,
  libraryQuery,
  lockSlugs,
  readLibrary,
  readStories,
  readStory,
  type Story,
  type StoryState,
} from './stories.sql.js';

export type { Story, StoryState };

const cursors = cursorsOf('stories', z.uuid());

/** Published stories, in the order in which they were added to the library. */
export async function listStories(
  app: App,
  args: PageArguments & { language?: string | null; search?: string | null },
): Promise<Page<Story>> {
  const window = windowOf(args, cursors);
  const { language: spoken, search: words } = parseRequest(storyListing, args);
  if (words.length > 0) await foldBeforeSearch(app, 'stories');
  const rows = await readLibrary(app.db, { window, language: spoken, words });
  const page = pageOf(rows, window, cursors, (story) => story.id);
  return { ...page, count: () => countRows(app.db, libraryQuery(spoken, words)) };
}

/** The filter of a list of stories. */
export const storyListing = z.object({
  language: language.nullish().transform((tag) => tag ?? null),
  search: searchWords,
});

/**
 * One story of the library. Unpublished stories are found only with `options.unpublished`.
 * @throws NOT_FOUND; BAD_USER_INPUT unless exactly one of id and slug is given
 */
export async function findStory(
  app: App,
  wanted: { id?: string | null; slug?: string | null },
  options: { unpublished: boolean },
): Promise<Story> {
  const { id = null, slug = null } = wanted;
  if ((id === null) === (slug === null)) throw badUserInput('id', 'give either id or slug');
  if (id !== null && !isId(id)) throw notFound('story');
  if (slug !== null && !isCleanText(slug)) throw notFound('story');
  const story = await readStory(app.db, id === null ? { slug: slug ?? '' } : { id });
  if (story === undefined || (!story.published && !options.unpublished)) throw notFound('story');
  return story;
}

/** Stories by id, including deleted and unpublished ones, because users keep the narrations that they paid for. */
export async function storiesById(app: App, ids: readonly string[]): Promise<Map<string, Story>> {
  return new Map((await readStories(app.db, ids)).map((story) => [story.id, story]));
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
  readonly announced?: boolean | null;
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
  description: paragraphs(0, 1000)
    .nullish()
    .transform((words) => words ?? null),
  // Bidirectional controls are allowed, because a text in two directions may need them. They are not spoken.
  content: text(1, 200_000).refine((words) => /\S/u.test(words), 'must not be blank'),
  coverUrl: webAddress.nullish().transform((address) => address ?? null),
  published: z
    .boolean()
    .nullish()
    .transform((published) => published ?? false),
  announced: z
    .boolean()
    .nullish()
    .transform((announced) => announced ?? true),
});

/**
 * Adds a story to the library. Without a slug, one is made from the title.
 * @param actorId the administrator; null for the stories that come with the product
 * @throws BAD_USER_INPUT, also for a slug that another story has
 */
export async function createStory(
  app: App,
  input: StoryInput,
  actorId: UserId | null,
): Promise<Story> {
  const story = parseRequest(storyInput, input);
  return saving(app, story.slug ?? null, () =>
    transact(app.db, async (tx) => {
      const slug = story.slug ?? (await freeSlug(tx, story.title));
      const data = { ...story, slug, ...(await saveText(tx, story.content)) };
      const { id } = await tx.story.create({ data: { id: newId(), ...withoutContent(data) } });
      await foldNow(tx, 'stories', id);
      await recordEdit(tx, 'createStory', { id, actorId, details: changesOf(null, data) });
      return id;
    }),
  );
}

/**
 * Replaces a story. Narrations of the old text are not changed.
 * @throws BAD_USER_INPUT, NOT_FOUND
 */
export async function updateStory(
  app: App,
  id: string,
  input: StoryInput,
  actorId: UserId,
): Promise<Story> {
  const story = parseRequest(storyInput, input);
  if (!isId(id)) throw notFound('story');
  return saving(app, story.slug ?? null, () =>
    transact(app.db, async (tx) => {
      const found = await tx.story.findFirst({ where: { id, deletedAt: null } });
      if (found === null) throw notFound('story');
      const data = {
        ...story,
        slug: story.slug ?? found.slug,
        ...(await saveText(tx, story.content)),
      };
      await tx.story.update({ where: { id }, data: withoutContent(data) });
      await foldNow(tx, 'stories', id);
      await recordEdit(tx, 'updateStory', { id, actorId, details: changesOf(found, data) });
      return id;
    }),
  );
}

/**
 * Removes a story from the library. Users keep the narrations that they paid for.
 * @throws NOT_FOUND
 */
export async function deleteStory(app: App, id: string, actorId: UserId): Promise<void> {
  if (!isId(id)) throw notFound('story');
  await transact(app.db, async (tx) => {
    const deletedAt = new Date();
    const { count } = await tx.story.updateMany({
      where: { id, deletedAt: null },
      data: { deletedAt },
    });
    if (count === 0) throw notFound('story');
    const details = { deletedAt: changed(null, deletedAt) };
    await recordEdit(tx, 'deleteStory', { id, actorId, details });
  });
}

async function recordEdit(
  tx: Tx,
  action: string,
  edit: { id: string; actorId: UserId | null; details: AuditDetails },
): Promise<void> {
  const { id: target, actorId, details } = edit;
  if (actorId === null) return;
  await writeAudit(tx, [{ actorId, action, target, reason: null, details, at: new Date() }]);
}

function withoutContent<Data extends { content: string }>({
  content: _content,
  ...rest
}: Data): Omit<Data, 'content'> {
  return rest;
}

/** @param save returns the id of the story that it saved */
async function saving(app: App, slug: string | null, save: () => Promise<string>): Promise<Story> {
  try {
    return await findStory(app, { id: await save() }, { unpublished: true });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    const which = slug ?? 'the one made from the title';
    throw badUserInput('slug', `${which} belongs to another story`);
  }
}

async function saveText(tx: Tx, content: string): Promise<{ textHash: string }> {
  const hash = sha256Hex(content);
  await keepText(tx, { hash, content, characterCount: countCodePoints(content) });
  return { textHash: hash };
}

/** The slug of the title, with the first free number behind it if it is taken. */
async function freeSlug(tx: Tx, title: string): Promise<string> {
  await lockSlugs(tx);
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
