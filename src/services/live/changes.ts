import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app.js';
import { readCreditsVersion } from '../credits/credits.sql.js';
import { ledgerKey } from '../credits/credits.js';
import { countAgainstLimit } from '../limits.js';
import { audiosByKey, audiosUnderWay, versionOf, type AudioView } from '../narrations/audios.js';
import { latestNotices, type NoticeView } from '../notices/notices.js';
import type { Viewer } from '../sessions/viewer.js';
import { BETWEEN_MS, waitForTopics, type Subscriber } from './follow.js';
import { topics, type Follower } from './followers.js';

/** A narration or the points of the viewer, in their new state, or a new notice. */
export type Change = (AudioView & { readonly kind: 'Audio' }) | PointsChange | NoticeView;
interface PointsChange {
  readonly userId: string;
  readonly kind: 'Credits';
}

/** The states that were sent last, so that a change that was seen twice is not sent twice. */
interface Sent {
  readonly audios: Map<string, string>;
  credits: string;
  readonly notices: Set<string>;
  /** When points change by themselves, for example because a lot lapses: a time of `performance.now()`. */
  creditsGoodUntil: number;
}

/**
 * Everything that changes for the viewer in one stream, because browsers open few connections to a host. The first
 * events are the points and the narrations that are being made. It is counted as one read of points.
 * @throws RATE_LIMITED, BUSY; later UNAUTHENTICATED or ACCOUNT_SUSPENDED, when the session has ended
 */
export async function followChanges(
  app: App,
  { viewer, signal }: Subscriber,
): Promise<AsyncGenerator<Change>> {
  const { userId } = viewer;
  await countAgainstLimit(app, { limit: 'creditReads', by: 'account', whose: userId });
  const wanted = [topics.credits, topics.audios, topics.notices, topics.standing].map((topic) =>
    topic(userId),
  );
  // Follows before it reads, so that a change in between is not missed.
  const follower = app.followers.follow(userId, wanted);
  signal.addEventListener('abort', follower.stop, { once: true });
  return tellChanges(app, viewer, follower);
}

async function* tellChanges(app: App, viewer: Viewer, follower: Follower): AsyncGenerator<Change> {
  const { userId } = viewer;
  const sent: Sent = { audios: new Map(), credits: '', notices: new Set(), creditsGoodUntil: 0 };
  try {
    // Notices from before are listed by `User.notices`.
    for (const { id } of await latestNotices(app, userId)) sent.notices.add(id);
    for (
      let heard: ReadonlySet<string> | null = new Set([
        topics.credits(userId),
        topics.audios(userId),
      ]);
      heard !== null;
      heard = await waitForTopics(app, viewer, follower, sent.creditsGoodUntil)
    ) {
      const isPointsDue =
        heard.has(topics.credits(userId)) || performance.now() >= sent.creditsGoodUntil;
      if (isPointsDue) yield* changedPoints(app, userId, sent);
      yield* changedAudios(app, userId, heard, sent);
      if (heard.has(topics.notices(userId))) yield* newNotices(app, userId, sent);
      await sleep(BETWEEN_MS);
    }
  } finally {
    follower.stop();
  }
}

async function* changedPoints(app: App, userId: string, sent: Sent): AsyncGenerator<PointsChange> {
  const { version, changesInMs } = await readCreditsVersion(app.points, userId);
  sent.creditsGoodUntil = performance.now() + (changesInMs ?? Infinity);
  if (version === sent.credits) return;
  sent.credits = version;
  yield { userId, kind: 'Credits' };
}

/** Notices that were not sent, oldest first. One that commits late is sent late, because their times do not tell. */
async function* newNotices(app: App, userId: string, sent: Sent): AsyncGenerator<NoticeView> {
  const latest = await latestNotices(app, userId);
  const fresh = latest.filter(({ id, readAt }) => readAt === null && !sent.notices.has(id));
  sent.notices.clear();
  for (const { id } of latest) sent.notices.add(id);
  for (const notice of fresh.reverse()) {
    yield notice;
    await sleep(BETWEEN_MS);
  }
}

/** Narrations whose last state is remembered. Older ones may be sent once more. */
const REMEMBERED_MAX = 1_000;

async function* changedAudios(
  app: App,
  userId: string,
  heard: ReadonlySet<string>,
  sent: Sent,
): AsyncGenerator<Change> {
  for (const audio of await readHeard(app, userId, heard, sent)) {
    const version = versionOf(audio);
    if (sent.audios.get(audio.id) === version) continue;
    if (sent.audios.size >= REMEMBERED_MAX) sent.audios.clear();
    sent.audios.set(audio.id, version);
    yield { ...audio, kind: 'Audio' };
    await sleep(BETWEEN_MS);
  }
}

/**
 * The narrations that notices name. A request for a narration is noticed by its debit, because only later changes of the
 * narration are noticed themselves. Notices that were missed are reported as the topic of all narrations: then those
 * that are being made are read, and those that were when they were last sent.
 */
async function readHeard(
  app: App,
  userId: string,
  heard: ReadonlySet<string>,
  sent: Sent,
): Promise<AudioView[]> {
  const named = [...heard].flatMap((topic) => topics.audioOf(topic)?.audioId ?? []);
  const all = heard.has(topics.audios(userId));
  const ids = all ? [...new Set([...named, ...sent.audios.keys()])] : named;
  const keys = ids.map((id) => ledgerKey(userId, id));
  const audios = keys.length === 0 ? [] : [...(await audiosByKey(app, keys)).values()];
  if (!all && !heard.has(topics.credits(userId))) return audios;
  const underWay = await audiosUnderWay(app, userId);
  return [...audios, ...underWay.filter(({ id }) => !ids.includes(id))];
}
