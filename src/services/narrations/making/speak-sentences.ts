import { setTimeout as sleep } from 'node:timers/promises';
import pMap from 'p-map';
import type { App } from '../../../app.js';
import { newId } from '../../../domain/ids.js';
import { SpeechError } from '../../../infra/speech/provider.js';
import type { PlannedSentence, Script } from './plan.js';
import { keepLease, leaseSentence, readPlaces, releaseSentence } from './sentences.sql.js';
import { findSpoken, storedBefore, storeSentence } from './stored-sentences.js';

/** A process that dies is believed to speak for so long; one that lives says so more often. */
const LEASE_MS = 30_000;
const KEEP_EVERY_MS = 10_000;
/** How often sentences are looked at that someone else is speaking. */
const LOOK_EVERY_MS = 200;
/** While some are spoken, one more is encoded and one is stored. */
const IN_OTHER_HANDS = 2;
/** So many in a row say that the rest would fail as well. */
const MOST_FAILURES_IN_A_ROW = 3;

/** A recording in the making. */
export interface Making {
  readonly script: Script;
  readonly signal: AbortSignal;
  /** Told how far it is, 0 to 1. @throws when it is not ours to make any more */
  report(progress: number): Promise<void>;
}

/** How far it is, and what has gone wrong. */
interface Tally {
  done: number;
  readonly total: number;
  failuresInARow: number;
  readonly failures: unknown[];
  /** Nothing more is begun. */
  over: boolean;
}

/**
 * Sees to it that every sentence has been spoken and is stored. Only what is missing is spoken, and each sentence
 * by one process at a time, so that a provider is paid for it once: what others are speaking is waited for. A
 * failure does not stop the others, unless it is fatal or the third in a row; it is thrown when everything that was
 * begun is stored, so that the next try has only what is missing to speak.
 * @throws SpeechError, or what kept a sentence from being stored
 */
export async function speakSentences(
  app: App,
  sentences: readonly PlannedSentence[],
  making: Making,
): Promise<void> {
  const missing = new Map(sentences.map((sentence) => [sentence.hash, sentence]));
  const total = missing.size;
  for (const { hash } of await findSpoken(app, [...missing.keys()])) missing.delete(hash);
  const tally: Tally = {
    done: total - missing.size,
    total,
    failuresInARow: 0,
    failures: [],
    over: false,
  };
  app.metrics.narrationSentences.inc({ result: 'reused' }, tally.done);
  for (let left = [...missing.values()]; left.length > 0;) {
    left = await speakThese(app, left, making, tally);
    const [failure] = tally.failures;
    if (failure !== undefined) throw asError(tally.failures.find(isFatal) ?? failure);
    if (left.length > 0) await sleep(LOOK_EVERY_MS, null, { signal: making.signal });
  }
}

/** @returns those that someone else is speaking */
async function speakThese(
  app: App,
  sentences: readonly PlannedSentence[],
  making: Making,
  tally: Tally,
): Promise<PlannedSentence[]> {
  const elsewhere: PlannedSentence[] = [];
  const speak = async (sentence: PlannedSentence): Promise<void> => {
    if (tally.over) return;
    try {
      const result = await speakSentence(app, sentence, making);
      if (result === 'elsewhere') {
        elsewhere.push(sentence);
        return;
      }
      app.metrics.narrationSentences.inc({ result });
      tally.failuresInARow = 0;
      tally.done += 1;
      await making.report(tally.done / tally.total);
    } catch (error) {
      noteFailure(tally, error);
    }
  };
  await pMap(sentences, speak, { concurrency: app.speech.concurrency + IN_OTHER_HANDS });
  return elsewhere;
}

function noteFailure(tally: Tally, error: unknown): void {
  tally.failures.push(error);
  tally.failuresInARow += 1;
  tally.over ||= isFatal(error) || tally.failuresInARow >= MOST_FAILURES_IN_A_ROW;
}

/** What will be no better with the next sentence. */
const isFatal = (error: unknown): boolean =>
  !(error instanceof SpeechError) || error.permanent || GIVEN_UP.has(error.kind);
const GIVEN_UP: ReadonlySet<string> = new Set(['stopped', 'resting']);

const asError = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(String(thrown));

async function speakSentence(
  app: App,
  { text, hash }: PlannedSentence,
  { script, signal }: Making,
): Promise<'spoken' | 'reused' | 'elsewhere'> {
  signal.throwIfAborted();
  const lease = { hash, leasedBy: newId() };
  if (!(await leaseSentence(app.db, lease, LEASE_MS)))
    return (await readPlaces(app.db, [hash])).length === 1 ? 'reused' : 'elsewhere';
  const keeping = setInterval(() => {
    keepLease(app.db, lease, LEASE_MS).catch((error: unknown) => {
      app.log.warn({ err: error, sentence: hash }, 'a sentence is spoken without its lease');
    });
  }, KEEP_EVERY_MS);
  try {
    if (await storedBefore(app, lease)) return 'reused';
    const request = { text, voice: script.providerVoice, language: script.language };
    await storeSentence(app, lease, await app.speech.speak(request, signal));
    return 'spoken';
  } catch (error) {
    // Otherwise it lapses.
    await releaseSentence(app.db, lease).catch(() => undefined);
    throw error;
  } finally {
    clearInterval(keeping);
  }
}
