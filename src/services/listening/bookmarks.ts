import { z } from 'zod';
import type { App } from '../app.js';
import { conflict, notFound } from '../../domain/errors.js';
import { isId, newId, type RowKey } from '../../domain/ids.js';
import { transact, type Rows } from '../../infra/db.js';
import { ledgerKey, splitLedgerKey } from '../credits/credits.js';
import { paragraphs, parseRequest } from '../validation.js';
import { position } from './listening.js';
import { serialiseAdditions } from './people-lock.sql.js';

/** A place in a narration that its user has marked. */
export type Bookmark = Readonly<Rows.Bookmark>;

/** The most bookmarks of one narration. */
export const BOOKMARKS_MAX = 100;
/** The most bookmarks of one user, because those of a page of narrations are read together. */
const BOOKMARKS_OF_USER_MAX = 2_000;
const OUT_OF_PAGE = `must be 1 to ${String(BOOKMARKS_MAX)}`;

const marking = z.object({
  positionMs: position,
  note: paragraphs(0, 500)
    .nullish()
    .transform((note) => note ?? null),
});

/**
 * Marks a place in one of the user's narrations.
 * @throws BAD_USER_INPUT; NOT_FOUND for the narration of another user; CONFLICT when it has BOOKMARKS_MAX already
 */
export async function addBookmark(
  app: App,
  userId: string,
  input: { audioId: string; positionMs: number; note?: string | null },
): Promise<Bookmark> {
  const { positionMs, note } = parseRequest(marking, input);
  const { audioId } = input;
  if (!isId(audioId)) throw notFound('audio');
  return transact(app.db, async (tx) => {
    if (!(await serialiseAdditions(tx, userId))) throw notFound('audio');
    const where = { userId_id: { userId, id: audioId } };
    if ((await tx.audio.findUnique({ where, select: { id: true } })) === null)
      throw notFound('audio');
    if ((await tx.bookmark.count({ where: { userId } })) >= BOOKMARKS_OF_USER_MAX)
      throw conflict('You can have at most 2,000 bookmarks. Remove one first.');
    const count = await tx.bookmark.count({ where: { userId, audioId } });
    if (count >= BOOKMARKS_MAX)
      throw conflict(
        `A narration has at most ${String(BOOKMARKS_MAX)} bookmarks. Remove one first.`,
      );
    const data = { userId, id: newId(), audioId, positionMs, note, createdAt: new Date() };
    return tx.bookmark.create({ data });
  });
}

/** How many bookmarks are listed when a client names no number. */
export const BOOKMARKS_DEFAULT = 20;

const listing = z.object({
  first: z
    .int()
    .min(1, OUT_OF_PAGE)
    .max(BOOKMARKS_MAX, OUT_OF_PAGE)
    .nullable()
    .transform((first) => first ?? BOOKMARKS_DEFAULT),
});

/** @throws BAD_USER_INPUT unless `first` is 1 to BOOKMARKS_MAX */
export const firstBookmarks = (
  bookmarks: readonly Bookmark[],
  args: { first: number | null },
): Bookmark[] => bookmarks.slice(0, parseRequest(listing, args).first);

/** Removes one of the user's bookmarks. @throws NOT_FOUND for that of another user */
export async function removeBookmark(app: App, userId: string, id: string): Promise<void> {
  const { count } = isId(id)
    ? await app.db.bookmark.deleteMany({ where: { userId, id } })
    : { count: 0 };
  if (count === 0) throw notFound('bookmark');
}

/** The bookmarks of narrations, in the order of their places. @param keys `ledgerKey(userId, audioId)` */
export async function bookmarksByKey(
  app: App,
  keys: readonly RowKey[],
): Promise<Map<RowKey, Bookmark[]>> {
  const wanted = keys.map(splitLedgerKey).map(({ userId, id }) => ({ userId, audioId: id }));
  const rows = await app.db.bookmark.findMany({
    where: { OR: wanted },
    orderBy: [{ positionMs: 'asc' }, { id: 'asc' }],
  });
  const groups = new Map<RowKey, Bookmark[]>();
  for (const row of rows) {
    const key = ledgerKey(row.userId, row.audioId);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return groups;
}
