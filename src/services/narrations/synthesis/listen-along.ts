import type { App } from '../../app.js';
import { isId } from '../../../domain/ids.js';
import type { Boundary } from '../../../domain/sentences.js';
import { pauseBefore } from '../../../domain/sound/pauses.js';
import type { Follower } from '../../live/followers.js';
import { topics } from '../../../domain/live/topics.js';
import { fitSentence } from '../resampling/fit-sentence.js';
import { planSentences, recordingHashOf, type PlannedSentence } from './plan.js';
import { readPlaces, type SentencePlace } from './sentences.sql.js';
import { readScript, type ScriptRow } from './script.sql.js';
import { readSentence } from './stored-sentences.js';

/**
 * The share of a text that can be heard before all of it is made. Until then, a narration can be cancelled and
 * refunded, so a larger share would be free to hear. It is enough to start with, because making is several times faster
 * than listening.
 */
const HEARD_EARLY = 1 / 4;
/** The poll interval for the next sentence. Normally the change of progress after it is noticed first. */
const LOOK_EVERY_MS = 1_000;

/**
 * Streams a narration from its beginning while it is being made: the first part as it is spoken, and the rest when all
 * is made. Sentences and pauses are whole MP3 frames, so that an incomplete stream can be played. The stream ends with the
 * narration.
 * @returns the stream once its first sentence is there; null when there is no such narration, or when it yields nothing
 * @throws in the middle of the stream, when the narration ends without a recording
 */
export async function listenAlong(
  app: App,
  audioId: string,
  signal: AbortSignal,
): Promise<AsyncGenerator<Uint8Array> | null> {
  const script = isId(audioId) ? await readScript(app.db, audioId) : undefined;
  if (script === undefined || hasEnded(script)) return null;
  // Throws for a voice that this process cannot speak, because such a narration will never be made.
  recordingHashOf(app, script);
  return begun(speakAlong(app, script, signal));
}

/** The narration has ended without a recording, or a sentence of it is missing. */
class NothingMore extends Error {}

/** @returns null when the narration ends before its first sentence */
async function begun(
  sentences: AsyncGenerator<Uint8Array>,
): Promise<AsyncGenerator<Uint8Array> | null> {
  const first = await sentences.next().catch((error: unknown) => {
    if (error instanceof NothingMore) return { done: true } as const;
    throw error;
  });
  return first.done === true ? null : startingWith(first.value, sentences);
}

async function* startingWith(
  first: Uint8Array,
  rest: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  yield first;
  yield* rest;
}

const hasEnded = ({ status }: Pick<ScriptRow, 'status'>): boolean =>
  status === 'FAILED' || status === 'CANCELLED';

async function* speakAlong(
  app: App,
  script: ScriptRow,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { userId, audioId } = script;
  const follower = app.followers.follow(userId, [topics.audio(userId, audioId)]);
  signal.addEventListener('abort', follower.stop, { once: true });
  try {
    let heard = 0;
    let boundary: Boundary | null = null;
    let rateHz: number | null = null;
    for (const sentence of planSentences(app, script)) {
      const early = heard <= script.content.length * HEARD_EARLY;
      const spoken = await waitForSentence(app, script, sentence, { follower, early });
      if (spoken === null) return;
      rateHz ??= spoken.sampleRateHz;
      const place = await fitSentence(app, spoken, rateHz);
      const bytes = await readSentence(app, place);
      if (boundary !== null) yield pauseBefore(boundary, bytes, place.sampleRateHz);
      yield bytes;
      boundary = sentence.boundary;
      if (!sentence.isAnnouncement) heard += sentence.text.length;
    }
  } finally {
    follower.stop();
  }
}

/** @returns null when the listener has disconnected */
async function waitForSentence(
  app: App,
  { userId, audioId: id }: ScriptRow,
  { hash }: PlannedSentence,
  { follower, early }: { follower: Follower; early: boolean },
): Promise<SentencePlace | null> {
  for (;;) {
    // The status is read before the sentence, because a sentence that is missing after READY will not come.
    const now = await app.db.audio.findUnique({
      where: { userId_id: { userId, id } },
      select: { status: true },
    });
    const [place] = await readPlaces(app.db, [hash]);
    if (place !== undefined && (early || now?.status === 'READY')) return place;
    if (now === null || now.status === 'READY' || hasEnded(now))
      throw new NothingMore('The narration has ended.');
    if ((await follower.changes(LOOK_EVERY_MS)) === null) return null;
  }
}
