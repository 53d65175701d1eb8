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

/** A list of the archive: reads the page after the last row of the page before. */
type Pages = (after: unknown) => Promise<readonly unknown[]>;

async function* archiveOf(app: App, userId: string): AsyncGenerator<string> {
  const { profile, lists } = partsOf(app, userId);
  yield `{"format":"talebank-data-1","madeAt":${textOf(new Date())},"profile":${textOf(await profile())}`;
  for (const [name, read] of Object.entries(lists)) {
    yield `,\n"${name}":[`;
    let separator = '';
    for (let after: unknown; ;) {
      const rows = await read(after);
      for (const row of rows) {
        yield `${separator}\n${textOf(row)}`;
        separator = ',';
      }
      if (rows.length < AT_ONCE) break;
      after = rows.at(-1);
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

const lastId = (after: unknown): string => (after as { id: string } | undefined)?.id ?? FIRST_ID;

/** Leaves out secrets, such as hashes of passwords and tokens, and the ids of other people, such as administrators. */
function partsOf(
  { db, ...app }: App,
  userId: string,
): { profile: () => Promise<unknown>; lists: Readonly<Record<string, Pages>> } {
  const byId = (after: unknown) =>
    ({
      where: { userId, id: { gt: lastId(after) } },
      orderBy: { id: 'asc' },
      take: AT_ONCE,
    }) as const;
  const omit = { userId: true } as const;
  return {
    profile: () =>
      db.user.findUnique({
        where: { id: userId },
        omit: { passwordHash: true, searchText: true },
        include: { emailChange: { omit }, formerEmails: { omit, orderBy: { id: 'asc' } } },
      }),
    lists: {
      sessions: (after) => db.session.findMany({ ...byId(after), omit }),
      lots: (after) => db.creditLot.findMany({ ...byId(after), omit: { ...omit, isOpen: true } }),
      movements: (after) =>
        db.creditTransaction.findMany({
          where: { userId, seq: { gt: (after as { seq: number } | undefined)?.seq ?? 0 } },
          orderBy: { seq: 'asc' },
          take: AT_ONCE,
          omit: { ...omit, actorId: true, requestHash: true },
          include: { allocations: { select: { lotId: true, amount: true } } },
        }),
      narrations: async (after) => {
        const rows = await db.audio.findMany({
          ...byId(after),
          omit: { ...omit, claim: true, jobId: true },
          include: {
            listening: { omit: { ...omit, audioId: true } },
            bookmarks: { omit: { ...omit, audioId: true } },
          },
        });
        const stories = await storiesById(
          { db, ...app },
          rows.map(({ storyId }) => storyId),
        );
        return rows.map((row) => ({ ...row, title: stories.get(row.storyId)?.title ?? null }));
      },
      favourites: (after) =>
        db.favourite.findMany({
          where: {
            userId,
            storyId: { gt: (after as { storyId: string } | undefined)?.storyId ?? FIRST_ID },
          },
          orderBy: { storyId: 'asc' },
          take: AT_ONCE,
          omit,
        }),
      notices: (after) => db.notice.findMany({ ...byId(after), omit: { ...omit, key: true } }),
      actions: (after) =>
        db.auditEntry.findMany({
          where: { target: userId, actorId: userId, id: { gt: lastId(after) } },
          orderBy: { id: 'asc' },
          take: AT_ONCE,
          select: { id: true, action: true, at: true, details: true },
        }),
    },
  };
}
