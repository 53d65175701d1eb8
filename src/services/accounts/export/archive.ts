import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { App } from '../../app.js';
import { FIRST_ID } from '../../../domain/ids.js';
import type { ExportDataPayload } from '../../queues.js';
import { storiesById } from '../../stories/stories.js';
import { exportFileKey } from './data-export.js';
import { finishExport } from './data-export.sql.js';

const AT_ONCE = 500;

/**
 * Writes the archive of a user's data: one JSON text, compressed. A page of rows is in memory at a time. An interrupted job
 * begins again, and the file replaces the earlier one as a whole.
 */
export async function makeArchive(
  app: App,
  { userId, exportId }: ExportDataPayload,
  signal: AbortSignal,
): Promise<void> {
  const key = exportFileKey(userId, exportId);
  const file = await app.storage.openWriter(key);
  try {
    await pipeline(
      Readable.from(archiveOf(app, userId)),
      createGzip(),
      async (bytes: AsyncIterable<Uint8Array>) => {
        for await (const part of bytes) await file.write(part);
      },
      { signal },
    );
    await file.finish();
  } catch (error) {
    await file.abandon();
    throw error;
  }
  // The account may have been deleted while the file was written. Its erasure then does not know of this file.
  if ((await finishExport(app.db, { userId, exportId })) === 0) await app.storage.remove([key]);
  else app.log.info({ event: 'data-exported', userId }, 'archive of the user’s data made');
}

/** A list of the archive, in pages. */
type List = AsyncIterable<readonly unknown[]>;

async function* archiveOf(app: App, userId: string): AsyncGenerator<string> {
  const { profile, lists } = partsOf(app, userId);
  yield `{"format":"talebank-data-1","madeAt":${textOf(new Date())},"profile":${textOf(await profile())}`;
  for (const [name, list] of Object.entries(lists)) {
    yield `,\n"${name}":[`;
    let separator = '';
    for await (const rows of list) {
      for (const row of rows) {
        yield `${separator}\n${textOf(row)}`;
        separator = ',';
      }
    }
    yield ']';
  }
  yield '}\n';
}

/** Hashes are hexadecimal, and prices are numbers. */
const textOf = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) => {
    if (typeof part === 'bigint') return Number(part);
    return part instanceof Uint8Array ? Buffer.from(part).toString('hex') : part;
  });

/**
 * Reads nothing before the first page is asked for.
 * @param after where the first page begins
 * @param read a page of at most `AT_ONCE` rows
 * @param cursorOf where the page after this row begins
 */
async function* pagesOf<Row, Cursor>(
  after: Cursor,
  read: (after: Cursor) => Promise<readonly Row[]>,
  cursorOf: (row: Row) => Cursor,
): AsyncGenerator<readonly Row[]> {
  for (;;) {
    const rows = await read(after);
    yield rows;
    const last = rows.at(-1);
    if (last === undefined || rows.length < AT_ONCE) return;
    after = cursorOf(last);
  }
}

const pagesById = <Row extends { id: string }>(
  read: (afterId: string) => Promise<readonly Row[]>,
): List => pagesOf(FIRST_ID, read, ({ id }) => id);

const ofUser = (userId: string, afterId: string): UserPage => ({
  where: { userId, id: { gt: afterId } },
  orderBy: { id: 'asc' },
  take: AT_ONCE,
});

interface UserPage {
  readonly where: { userId: string; id: { gt: string } };
  readonly orderBy: { id: 'asc' };
  readonly take: number;
}

const omit = { userId: true } as const;

/** Leaves out secrets, such as hashes of passwords and tokens, and the ids of other people, such as administrators. */
function partsOf(
  app: App,
  userId: string,
): { profile: () => Promise<unknown>; lists: Readonly<Record<string, List>> } {
  const { db } = app;
  return {
    profile: () =>
      db.user.findUnique({
        where: { id: userId },
        omit: { passwordHash: true, searchText: true },
        include: { emailChange: { omit }, formerEmails: { omit, orderBy: { id: 'asc' } } },
      }),
    lists: {
      sessions: pagesById((after) => db.session.findMany({ ...ofUser(userId, after), omit })),
      lots: pagesById((after) =>
        db.creditLot.findMany({ ...ofUser(userId, after), omit: { ...omit, isOpen: true } }),
      ),
      movements: movementsOf(app, userId),
      narrations: pagesById((after) => readNarrations(app, userId, after)),
      favourites: favouritesOf(app, userId),
      notices: pagesById((after) =>
        db.notice.findMany({ ...ofUser(userId, after), omit: { ...omit, key: true } }),
      ),
      actions: pagesById((after) => readActions(app, userId, after)),
    },
  };
}

const movementsOf = ({ db }: App, userId: string): List =>
  pagesOf(
    0,
    (afterSeq) =>
      db.creditTransaction.findMany({
        where: { userId, seq: { gt: afterSeq } },
        orderBy: { seq: 'asc' },
        take: AT_ONCE,
        omit: { ...omit, actorId: true, requestHash: true },
        include: { allocations: { select: { lotId: true, amount: true } } },
      }),
    ({ seq }) => seq,
  );

async function readNarrations(
  app: App,
  userId: string,
  afterId: string,
): Promise<{ id: string }[]> {
  const rows = await app.db.audio.findMany({
    ...ofUser(userId, afterId),
    omit: { ...omit, claim: true, jobId: true },
    include: {
      listening: { omit: { ...omit, audioId: true } },
      bookmarks: { omit: { ...omit, audioId: true } },
    },
  });
  const stories = await storiesById(
    app,
    rows.map(({ storyId }) => storyId),
  );
  return rows.map((row) => ({ ...row, title: stories.get(row.storyId)?.title ?? null }));
}

const favouritesOf = ({ db }: App, userId: string): List =>
  pagesOf(
    FIRST_ID,
    (afterStoryId) =>
      db.favourite.findMany({
        where: { userId, storyId: { gt: afterStoryId } },
        orderBy: { storyId: 'asc' },
        take: AT_ONCE,
        omit,
      }),
    ({ storyId }) => storyId,
  );

/** What the user did to their own account. */
const readActions = ({ db }: App, userId: string, afterId: string): Promise<{ id: string }[]> =>
  db.auditEntry.findMany({
    where: { target: userId, actorId: userId, id: { gt: afterId } },
    orderBy: { id: 'asc' },
    take: AT_ONCE,
    select: { id: true, action: true, at: true, details: true },
  });
