import { columnsOf, rowKey, type RowKey } from '../../../domain/ids.js';
import type { App } from '../../app.js';
import { badUserInput } from '../../../domain/errors.js';
import { unpacked, type TimedSentence } from '../../../domain/timing/timeline.js';
import type { AudioView } from '../audios.js';
import { growTimelines } from './partial-timelines.js';
import { readNarrated, readTimelineParts } from './timeline.sql.js';

/** The most sentences in one answer, and the words allowed for each. One sentence is always answered. */
export const SENTENCES_MAX = 250;
export const WORDS_A_SENTENCE = 12;
const WORDS_MAX = SENTENCES_MAX * WORDS_A_SENTENCE;
/** No text has so many sentences. */
const INDEX_MAX = 1_000_000;

/** What the key of the loader has. */
interface Asked {
  readonly key: RowKey;
  readonly id: string;
  readonly status: string;
  /** '' when there is no recording. */
  readonly recordingHash: string;
  readonly after: number;
}

/**
 * The key of the loader of sentences.
 * @param after the index of the last sentence that the client has
 * @throws BAD_USER_INPUT
 */
export function sentencesKey(audio: AudioView, after: number): RowKey {
  if (after < -1 || after > INDEX_MAX)
    throw badUserInput('after', `must be -1 to ${String(INDEX_MAX)}`);
  const { id, status, renditionHash: recordingHash } = audio;
  return rowKey(id, status, recordingHash, after);
}

function askedBy(key: RowKey): Asked {
  const [id = '', status = '', recordingHash = '', after] = columnsOf(key);
  return { key, id, status, recordingHash, after: Number(after) };
}

/**
 * The sentences that are spoken, from the one behind `after` on, as many as an answer may have. Those of a finished
 * recording are stored with it. Otherwise, and for recordings of earlier releases, they are planned again, and their
 * lengths are those of their own rows.
 * @param keys `sentencesKey(audio, after)`
 */
export async function sentencesByKey(
  app: App,
  keys: readonly RowKey[],
): Promise<Map<RowKey, readonly TimedSentence[]>> {
  const asked = keys.map(askedBy);
  const ready = asked.filter(({ status }) => status === 'READY');
  const wanted = ready.map(({ recordingHash, after }) => ({ hash: recordingHash, after }));
  const parts = new Map(
    (ready.length === 0 ? [] : await readTimelineParts(app.db, wanted, SENTENCES_MAX)).map(
      ({ hash, after, sentences }) => [
        rowKey(hash, after),
        sentences.map((sentence, at) => unpacked(sentence, after + 1 + at)),
      ],
    ),
  );
  const stored = ({ recordingHash, after }: Asked): TimedSentence[] | undefined =>
    parts.get(rowKey(recordingHash, after));
  const others = asked.filter((one) => isSpoken(one) && stored(one) === undefined);
  const grown = await growAll(app, others);
  return new Map(
    asked.map((one) => [one.key, firstOf(stored(one) ?? partOf(grown.get(one.id) ?? [], one))]),
  );
}

const isSpoken = ({ status }: Asked): boolean => status === 'PROCESSING' || status === 'READY';

async function growAll(
  app: App,
  asked: readonly Asked[],
): Promise<Map<string, readonly TimedSentence[]>> {
  if (asked.length === 0) return new Map();
  const rows = await readNarrated(
    app.db,
    asked.map(({ id }) => id),
  );
  const narrated = new Map(rows.map((row) => [row.audioId, row]));
  const wanted = asked.flatMap(({ id, after }) => {
    const row = narrated.get(id);
    return row === undefined ? [] : [{ narrated: row, count: after + 1 + SENTENCES_MAX }];
  });
  const grown = await growTimelines(app, wanted);
  return new Map([...grown].map(([id, { sentences }]) => [id, sentences]));
}

const partOf = (sentences: readonly TimedSentence[], { after }: Asked): readonly TimedSentence[] =>
  sentences.slice(after + 1, after + 1 + SENTENCES_MAX);

/** As many as an answer may have, and one at least. */
function firstOf(sentences: readonly TimedSentence[]): readonly TimedSentence[] {
  let words = 0;
  const end = sentences.findIndex((sentence, at) => {
    words += sentence.words.length;
    return at > 0 && words > WORDS_MAX;
  });
  return end === -1 ? sentences : sentences.slice(0, end);
}
