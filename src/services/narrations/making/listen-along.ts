import type { App } from '../../../app.js';
import { isId } from '../../../domain/ids.js';
import { topics, type Follower } from '../../live/followers.js';
import { readScript, type ScriptRow } from './claims.sql.js';
import { planSentences, renditionHashOf, type PlannedSentence } from './plan.js';
import { readPlaces, type SentencePlace } from './sentences.sql.js';
import { readSentence } from './stored-sentences.js';

/** A sentence is told of by the progress that follows it; how often it is looked for all the same. */
const LOOK_EVERY_MS = 1_000;

/**
 * A narration from its beginning, while it is being made: what is spoken at once, and the rest as it comes. Sentences
 * are whole MP3 frames, so that what was sent so far can be heard. It ends when it is whole.
 * @returns null when there is no such narration, or it has ended without a recording
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
  return speakAlong(app, script, signal);
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
    for (const sentence of planSentences(app, script)) {
      const place = await waitForSentence(app, script, sentence, follower);
      if (place === null) return;
      yield await readSentence(app, place);
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
  follower: Follower,
): Promise<SentencePlace | null> {
  for (;;) {
    // Before the sentence is looked for: what is not there when all is made will not come.
    const now = await app.db.audio.findUnique({
      where: { userId_id: { userId, id } },
      select: { status: true },
    });
    const [place] = await readPlaces(app.db, [hash]);
    if (place !== undefined) return place;
    if (now === null || now.status === 'READY' || hasEnded(now))
      throw new Error('The narration has ended.');
    if ((await follower.changes(LOOK_EVERY_MS)) === null) return null;
  }
}
