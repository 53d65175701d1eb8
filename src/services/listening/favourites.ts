import type { App } from '../app.js';
import { conflict, unauthenticated } from '../../domain/errors.js';
import { transact } from '../../infra/db.js';
import { ledgerKey, splitLedgerKey } from '../credits/credits.js';
import { seesEverybody, type Viewer } from '../sessions/viewer.js';
import { findStory, type Story } from '../stories/stories.js';
import { serialiseAdditions } from './people-lock.sql.js';

/** The most favourites of one user. */
export const FAVOURITES_MAX = 5_000;

/**
 * Marks a story as a favourite of the viewer, or not. Idempotent.
 * @throws NOT_FOUND for a story that the viewer cannot see; CONFLICT when the viewer has FAVOURITES_MAX already
 */
export async function setFavourite(
  app: App,
  viewer: Viewer,
  { storyId, favourite }: { storyId: string; favourite: boolean },
): Promise<Story> {
  const story = await findStory(app, { id: storyId }, { unpublished: seesEverybody(viewer) });
  const { userId } = viewer;
  const key = { userId, storyId: story.id };
  if (!favourite) {
    await app.db.favourite.deleteMany({ where: key });
    return story;
  }
  await transact(app.db, async (tx) => {
    if (!(await serialiseAdditions(tx, userId))) throw unauthenticated('The session has ended.');
    const where = { userId_storyId: key };
    if ((await tx.favourite.findUnique({ where })) !== null) return;
    if ((await tx.favourite.count({ where: { userId } })) >= FAVOURITES_MAX)
      throw conflict(
        `You can have at most ${FAVOURITES_MAX.toLocaleString('en')} favourites. Remove one first.`,
      );
    await tx.favourite.create({ data: { ...key, createdAt: new Date() } });
  });
  return story;
}

/** Whether a story is a favourite of the viewer. False for a stranger. */
export async function isFavourite(
  loader: { load(key: string): Promise<boolean | undefined> },
  viewer: { userId: string } | null,
  story: { id: string },
): Promise<boolean> {
  if (viewer === null) return false;
  return (await loader.load(ledgerKey(viewer.userId, story.id))) ?? false;
}

/** Whether stories are favourites. @param keys `ledgerKey(userId, storyId)` */
export async function favouritesByKey(
  app: App,
  keys: readonly string[],
): Promise<Map<string, boolean>> {
  const wanted = keys.map(splitLedgerKey).map(({ userId, id }) => ({ userId, storyId: id }));
  const rows = await app.db.favourite.findMany({ where: { OR: wanted } });
  return new Map(rows.map((row) => [ledgerKey(row.userId, row.storyId), true]));
}
