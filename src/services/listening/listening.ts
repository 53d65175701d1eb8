import { z } from 'zod';
import type { App } from '../app.js';
import { notFound, unauthenticated } from '../../domain/errors.js';
import { isId, type RowKey } from '../../domain/ids.js';
import { ledgerKey, splitLedgerKey } from '../credits/credits.js';
import { audiosByKey, type AudioView } from '../narrations/audios.js';
import { countAgainstLimit } from '../limits.js';
import { findDevice } from '../sessions/device.js';
import type { Viewer } from '../sessions/viewer.js';
import { parseRequest } from '../validation.js';
import { readBegun, writeListening, type Listening } from './listening.sql.js';

export type { Listening };

/** The longest recording that a position can be in: 200,000 characters at the slowest voice are shorter. */
export const POSITION_MAX_MS = 48 * 3_600_000;

export const position = z
  .int()
  .min(0, 'must be 0 or more')
  .max(POSITION_MAX_MS, 'must be at most 172,800,000 (48 hours)');

const report = z.object({
  positionMs: position,
  finished: z
    .boolean()
    .nullish()
    .transform((finished) => finished ?? null),
  rate: z
    .number()
    .min(0.25, 'must be 0.25 to 4')
    .max(4, 'must be 0.25 to 4')
    .nullish()
    .transform((rate) => rate ?? null),
});
export interface ListeningInput extends z.input<typeof report> {
  readonly audioId: string;
  readonly at: Date;
}

/** No report can be older than the product. The year 0, which a Date can have, does not exist in Postgres. */
const EARLIEST = new Date('2000-01-01T00:00:00Z');

/**
 * Stores how far the user has heard a narration. Of several reports, the one with the latest `at` holds, in whatever
 * order they arrive. Idempotent. A time in the future counts as now, because one device whose clock is wrong must not
 * silence the others.
 * @param device the access token's device, or that of the browser's refresh token, because a page that is closed can
 * only send its cookies
 * @throws UNAUTHENTICATED, ACCOUNT_SUSPENDED, BAD_USER_INPUT, RATE_LIMITED; NOT_FOUND for the narration of another user
 */
export async function reportListening(
  app: App,
  device: { viewer: Viewer | null; refreshToken: string | null },
  input: ListeningInput,
): Promise<Listening> {
  const viewer = device.viewer ?? (await findDevice(app, device.refreshToken));
  if (viewer === null) throw unauthenticated();
  const { userId, sessionId } = viewer;
  const { positionMs, finished, rate } = parseRequest(report, input);
  await countAgainstLimit(app, { limit: 'listening', by: 'account', whose: userId });
  const { audioId } = input;
  const at = input.at < EARLIEST ? EARLIEST : input.at;
  const written =
    isId(audioId) &&
    (await writeListening(app.db, { userId, sessionId, audioId, positionMs, finished, rate, at }));
  if (!written) throw notFound('audio');
  const stored = await app.db.listening.findUnique({
    where: { userId_audioId: { userId, audioId } },
  });
  // The account may have been deleted meanwhile.
  if (stored === null) throw notFound('audio');
  return stored;
}

/** @param keys `ledgerKey(userId, audioId)` */
export async function listeningsByKey(
  app: App,
  keys: readonly RowKey[],
): Promise<Map<RowKey, Listening>> {
  const wanted = keys.map(splitLedgerKey).map(({ userId, id }) => ({ userId, audioId: id }));
  const rows = await app.db.listening.findMany({ where: { OR: wanted } });
  return new Map(rows.map((row) => [ledgerKey(row.userId, row.audioId), row]));
}

/** How many narrations are listed when a client names no number. */
export const BEGUN_DEFAULT = 10;

const begun = z.object({
  first: z
    .int()
    .min(1, 'must be 1 to 50')
    .max(50, 'must be 1 to 50')
    .nullable()
    .transform((first) => first ?? BEGUN_DEFAULT),
});

/** What the user has begun to hear and not finished, latest first. @throws BAD_USER_INPUT */
export async function listBegun(
  app: App,
  userId: string,
  args: { first: number | null },
): Promise<AudioView[]> {
  const { first: limit } = parseRequest(begun, args);
  const keys = (await readBegun(app.db, { userId, limit })).map((id) => ledgerKey(userId, id));
  const found = await audiosByKey(app, keys);
  return keys.flatMap((key) => found.get(key) ?? []);
}
