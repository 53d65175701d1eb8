import { z } from 'zod';
import type { App } from '../app.js';
import { badUserInput, notFound } from '../../domain/errors.js';
import { isId, newId, type UserId } from '../../domain/ids.js';
import type { Page, PageArguments } from '../../domain/paging.js';
import { countCodePoints, isCleanText, sha256Hex, slugify } from '../../domain/text.js';
import { isUniqueViolation, transact, type Tx } from '../../infra/db.js';
import { changed, writeAudit, type AuditDetails } from '../audit.sql.js';
import { countRows } from '../counting.sql.js';
import { changesOf } from './changes.js';
import { foldBeforeSearch, foldNow } from '../search/fold.js';
import { language, parseRequest, searchWords } from '../validation.js';
import { readingFor, STORY_ORDERS, type StoryOrder } from './library-order.sql.js';
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
import { age, storyInput, tags, type StoryInput } from './story-input.js';

export type { Story, StoryInput, StoryOrder, StoryState };

export interface StoriesFilter extends PageArguments {
  readonly language?: string | null;
  readonly search?: string | null;
  readonly tags?: readonly string[] | null;
  readonly age?: number | null;
  readonly order?: StoryOrder | null;
}

/** Published stories, by default in the order in which they were added to the library. @throws BAD_USER_INPUT */
export async function listStories(app: App, args: StoriesFilter): Promise<Page<Story>> {
  const { order, language: spoken, search: words, ...wished } = parseRequest(libraryListing, args);
  const reading = readingFor(args, order);
  if (words.length > 0 || order === 'TITLE') await foldBeforeSearch(app, 'stories');
  const wanted = { language: spoken, words, ...wished };
  const page = reading.pageOf(await readLibrary(app.db, reading, wanted));
  return { ...page, count: () => countRows(app.db, libraryQuery(wanted)) };
}

/** The filter of a list of stories. */
export const storyListing = z.object({
  language: language.nullish().transform((tag) => tag ?? null),
  search: searchWords,
});

const libraryListing = storyListing.extend({
  tags,
  age: age.nullish().transform((years) => years ?? null),
  order: z
    .enum(STORY_ORDERS)
    .nullish()
    .transform((order) => order ?? 'LIBRARY'),
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

/** The texts of stories by their hash. */
export async function contentsByHash(
  app: App,
  hashes: readonly string[],
): Promise<Map<string, string>> {
  const rows = await app.db.storyText.findMany({ where: { hash: { in: [...hashes] } } });
  return new Map(rows.map(({ hash, content }) => [hash, content]));
}

/** The lengths of texts in Unicode code points, by their hash. */
export async function textLengthsByHash(
  app: App,
  hashes: readonly string[],
): Promise<Map<string, number>> {
  const rows = await app.db.storyText.findMany({
    where: { hash: { in: [...hashes] } },
    select: { hash: true, characterCount: true },
  });
  return new Map(rows.map(({ hash, characterCount }) => [hash, characterCount]));
}

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
