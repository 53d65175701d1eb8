import { z } from 'zod';
import type { App } from '../app.js';
import { notFound } from '../../domain/errors.js';
import { isId, type RowKey } from '../../domain/ids.js';
import { cursorsOf, pageOf, windowOf, type Page, type PageArguments } from '../../domain/paging.js';
import type { Rows } from '../../infra/db.js';
import { ledgerKey, splitLedgerKey } from '../credits/credits.js';
import type { AudioFailureCode } from './synthesis/failure-code.js';
import type { AudioStatus, NarrationKey } from './narrations.sql.js';

export type { AudioStatus };

/** A narration as its owner may see it. */
export type AudioView = Readonly<
  Pick<
    Rows.Audio,
    | 'userId'
    | 'id'
    | 'storyId'
    | 'voiceId'
    | 'textHash'
    | 'status'
    | 'progress'
    | 'renditionHash'
    | 'durationMs'
    | 'lengthBytes'
    | 'failureReason'
    | 'failureCode'
    | 'waitingFor'
    | 'createdAt'
    | 'updatedAt'
    | 'readyAt'
  >
>;

const cursors = cursorsOf('audio', z.uuid());

/** The user's narrations, newest first. */
export async function listAudio(
  app: App,
  userId: string,
  args: PageArguments & { status?: readonly AudioStatus[] | null },
): Promise<Page<AudioView>> {
  const window = windowOf(args, cursors);
  const rows = await app.db.audio.findMany({
    where: {
      userId,
      ...(args.status == null ? {} : { status: { in: [...new Set(args.status)] } }),
      AND: [
        window.after === null ? {} : { id: { lt: window.after } },
        window.before === null ? {} : { id: { gt: window.before } },
      ],
    },
    orderBy: { id: window.backward ? 'asc' : 'desc' },
    take: window.limit + 1,
  });
  return pageOf(rows, window, cursors, (audio) => audio.id);
}

/** One of the user's own narrations. @throws NOT_FOUND, also for another user's */
export async function findAudio(app: App, userId: string, id: string): Promise<AudioView> {
  const audio = isId(id)
    ? await app.db.audio.findUnique({ where: { userId_id: { userId, id } } })
    : null;
  if (audio === null) throw notFound('audio');
  return audio;
}

/** The user's narrations that are being made, oldest first. A user has few, because each one costs points. */
export const audiosUnderWay = (app: App, userId: string): Promise<AudioView[]> =>
  app.db.audio.findMany({
    where: { userId, status: { in: ['QUEUED', 'PROCESSING'] } },
    orderBy: { id: 'asc' },
    take: UNDER_WAY_MAX,
  });

const UNDER_WAY_MAX = 100;

/** Changes whenever what clients follow changes. */
export const versionOf = ({ status, progress, updatedAt }: AudioView): string =>
  `${status} ${String(progress)} ${updatedAt.toISOString()}`;

/** The user's narration of a text in a voice, in any state. */
export function findNarration(app: App, key: NarrationKey): Promise<AudioView | null> {
  const { userId, storyId, textHash, voiceId } = key;
  return app.db.audio.findUnique({
    where: { userId_storyId_textHash_voiceId: { userId, storyId, textHash, voiceId } },
  });
}

/** @param keys `ledgerKey(userId, audioId)` */
export async function audiosByKey(
  app: App,
  keys: readonly RowKey[],
): Promise<Map<RowKey, AudioView>> {
  const rows = await audiosOf(app, keys, 'id');
  return new Map(rows.map((row) => [ledgerKey(row.userId, row.id), row]));
}

/** The narrations of stories, newest first. @param keys `ledgerKey(userId, storyId)` */
export async function audiosByStory(
  app: App,
  keys: readonly RowKey[],
): Promise<Map<RowKey, AudioView[]>> {
  const groups = new Map<RowKey, AudioView[]>();
  for (const row of await audiosOf(app, keys, 'storyId')) {
    const key = ledgerKey(row.userId, row.storyId);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return groups;
}

async function audiosOf(
  app: App,
  keys: readonly RowKey[],
  part: 'id' | 'storyId',
): Promise<AudioView[]> {
  const ids = new Map<string, string[]>();
  for (const key of keys) {
    const { userId, id } = splitLedgerKey(key);
    ids.set(userId, [...(ids.get(userId) ?? []), id]);
  }
  return app.db.audio.findMany({
    where: { OR: [...ids].map(([userId, wanted]) => ({ userId, [part]: { in: wanted } })) },
    orderBy: [{ userId: 'asc' }, { id: 'desc' }],
  });
}

/** The viewer's narrations of a story, newest first. With a voice, only those in that voice. */
export async function audiosOfStory(
  loader: { load(key: RowKey): Promise<AudioView[] | undefined> },
  viewer: { userId: string } | null,
  story: { id: string },
  voiceId: string | null,
): Promise<AudioView[]> {
  const audios =
    viewer === null ? [] : ((await loader.load(ledgerKey(viewer.userId, story.id))) ?? []);
  return voiceId === null ? audios : audios.filter((audio) => audio.voiceId === voiceId);
}

/**
 * The narration of a story to show on its card: the newest READY one of the present text, or else the newest.
 * @param audios newest first
 */
export const currentOf = (
  audios: readonly AudioView[],
  { textHash }: { textHash: string },
): AudioView | null =>
  audios.find((audio) => audio.status === 'READY' && audio.textHash === textHash) ??
  audios[0] ??
  null;

/** Why it failed, for programs. Null unless FAILED. */
export const failureCode = ({ status, failureCode: code }: AudioView): AudioFailureCode | null =>
  status === 'FAILED' ? ((code as AudioFailureCode | null) ?? 'INTERNAL') : null;

/** What a narration may wait for besides a worker. */
export type AudioWait = 'SPEECH_PROVIDER';

/** What it waits for besides a worker. Null unless QUEUED. */
export const waitingFor = ({ status, waitingFor: what }: AudioView): AudioWait | null =>
  status === 'QUEUED' ? (what as AudioWait | null) : null;

/** The playing time in seconds. Null unless READY. */
export const durationSeconds = ({ status, durationMs }: AudioView): number | null =>
  status === 'READY' && durationMs !== null ? durationMs / 1000 : null;
