import type { App } from '../../../app.js';
import { isId } from '../../../domain/ids.js';
import { topics, type Follower } from '../../live/followers.js';
import { planSentences, renditionHashOf, type PlannedSentence } from './plan.js';
import { readPlaces, type SentencePlace } from './sentences.sql.js';
import { readScript, type ScriptRow } from './script.sql.js';
import { readSentence } from './stored-sentences.js';

/**
 * The part of a text that can be heard before all of it is made. Until then it can be cancelled and is given back: who
 * hears more for nothing need not pay. Enough to begin with, for making is several times faster than listening.
 */
const HEARD_EARLY = 1 / 4;
/** A sentence is told of by the progress that follows it; how often it is looked for all the same. */
const LOOK_EVERY_MS = 1_000;

/**
 * A narration from its beginning, while it is being made: the first part as it is spoken, and the rest when all is made.
 * Sentences are whole MP3 frames, so that what was sent so far can be heard. It ends when it is whole.
 * @returns when there is something to be heard; null when there is no such narration, or nothing to come of it
 * @throws in the middle, when it ends without a recording
 */
export async function listenAlong(
  app: App,
  audioId: string,
  signal: AbortSignal,
): Promise<AsyncGenerator<Uint8Array> | null> {
  const script = isId(audioId) ? await readScript(app.db, audioId) : undefined;
  if (script === undefined || hasEnded(script)) return null;
  // Of a voice that is not spoken any more nothing will come.
  renditionHashOf(app, script);
  return begun(speakAlong(app, script, signal));
}

/** It has ended without a recording, or some of it is not to be had any more. */
class NothingMore extends Error {}

/** @returns null when there is not even a beginning */
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
    for (const sentence of planSentences(app, script)) {
      const early = heard <= script.content.length * HEARD_EARLY;
      const place = await waitForSentence(app, script, sentence, { follower, early });
      if (place === null) return;
      yield await readSentence(app, place);
      heard += sentence.text.length;
    }
  } finally {
    follower.stop();
  }
}

/** @returns null when nobody listens any more */
async function waitForSentence(
  app: App,
  { userId, audioId: id }: ScriptRow,
  { hash }: PlannedSentence,
  { follower, early }: { follower: Follower; early: boolean },
): Promise<SentencePlace | null> {
  for (;;) {
    // Before the sentence is looked for: what is not there when all is made will not come.
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
