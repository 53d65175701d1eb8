import { setTimeout as sleep } from 'node:timers/promises';
import pMap from 'p-map';
import type { App } from '../../app.js';
import { newId } from '../../../domain/ids.js';
import { SpeechError, type SpeechErrorKind } from '../../../infra/speech/provider.js';
import type { PlannedSentence, Script } from './plan.js';
import {
  keepLease,
  leaseSentence,
  readPlaces,
  releaseSentence,
  type Lease,
} from './sentences.sql.js';
import { findSpoken, storedBefore, storeSentence } from './stored-sentences.js';

/** The lease of a sentence. It lapses when its process dies, and a living process renews it more often. */
export const LEASE_MS = 30_000;
const KEEP_EVERY_MS = 10_000;
/** How often sentences that another process is speaking are checked. */
export const LOOK_EVERY_MS = 200;
/** Sentences in work beyond the provider's concurrency: one that is encoded, and one that is stored. */
const SENTENCES_AFTER_SPEECH = 2;
/** After this many consecutive failures, the rest would probably fail as well. */
const CONSECUTIVE_FAILURES_MAX = 3;

/** A recording that is being made. */
export interface Making {
  readonly script: Script;
  readonly signal: AbortSignal;
  /** Reports the progress, 0 to 1. @throws when the claim is lost */
  report(progress: number): Promise<void>;
  /** Called when the first sentence can be heard, with whether it was spoken just now. */
  heard(isNew: boolean): void;
}

/** The progress and the failures so far. */
interface Tally {
  done: number;
  readonly total: number;
  failuresInARow: number;
  readonly failures: unknown[];
  /** No further sentence is started. */
  over: boolean;
}

/**
 * Speaks every missing sentence and stores it. Each sentence is spoken by one process at a time, so that the provider
 * is paid for it once. Sentences that other processes are speaking are waited for. A failure does not stop the others,
 * unless it is fatal or the third in a row. It is thrown after every started sentence is stored, so that the next
 * attempt speaks only what is missing.
 * @throws SpeechError, or the error of storing a sentence
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
  const first = sentences[0]?.hash ?? '';
  if (!missing.has(first)) making.heard(false);
  for (let left = [...missing.values()]; left.length > 0;) {
    left = await speakThese(app, left, { ...making, first }, tally);
    if (tally.failures.length > 0) throw asError(mostTelling(tally.failures));
    if (left.length > 0) await sleep(LOOK_EVERY_MS, null, { signal: making.signal });
  }
}

/** @returns the sentences that another process is speaking */
async function speakThese(
  app: App,
  sentences: readonly PlannedSentence[],
  making: Making & { readonly first: string },
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
      if (sentence.hash === making.first) making.heard(result === 'spoken');
      tally.failuresInARow = 0;
      tally.done += 1;
      await making.report(tally.done / tally.total);
    } catch (error) {
      noteFailure(tally, error);
    }
  };
  await pMap(sentences, speak, { concurrency: app.speech.concurrency + SENTENCES_AFTER_SPEECH });
  return elsewhere;
}

function noteFailure(tally: Tally, error: unknown): void {
  tally.failures.push(error);
  tally.failuresInARow += 1;
  tally.over ||= isFatal(error) || tally.failuresInARow >= CONSECUTIVE_FAILURES_MAX;
}

/** The failures that decide what becomes of the narration, the most important first. */
const TELLING: readonly ((failure: unknown) => boolean)[] = [
  (failure) => !(failure instanceof SpeechError) || failure.permanent || failure.kind === 'stopped',
  // Before a rest, because one text that always fails would otherwise wait whenever it has made the provider rest.
  (failure) => failure instanceof SpeechError && OF_THE_TEXT.has(failure.kind),
  (failure) => failure instanceof SpeechError && failure.kind === 'resting',
];
const OF_THE_TEXT: ReadonlySet<SpeechErrorKind> = new Set([
  'not-audio',
  'too-long',
  'silent',
  'died',
]);

function mostTelling(failures: readonly unknown[]): unknown {
  for (const isTelling of TELLING) {
    const found = failures.find(isTelling);
    if (found !== undefined) return found;
  }
  return failures[0];
}

/** Whether the next sentence would fail for the same reason. */
const isFatal = (error: unknown): boolean =>
  !(error instanceof SpeechError) || error.permanent || GIVEN_UP.has(error.kind);
const GIVEN_UP: ReadonlySet<string> = new Set(['stopped', 'resting']);

const asError = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(String(thrown));

async function speakSentence(
  app: App,
  { spoken, hash }: PlannedSentence,
  { script, signal }: Making,
): Promise<'spoken' | 'reused' | 'elsewhere'> {
  signal.throwIfAborted();
  const lease = { hash, leasedBy: newId() };
  if (!(await leaseSentence(app.db, lease, LEASE_MS)))
    return (await readPlaces(app.db, [hash])).length === 1 ? 'reused' : 'elsewhere';
  return keepingLease(app, lease, async () => {
    if (await storedBefore(app, lease)) return 'reused';
    const request = { text: spoken.text, voice: script.providerVoice, language: script.language };
    await storeSentence(app, lease, await app.speech.speak(request, signal));
    return 'spoken';
  });
}

/** Renews a lease during the work, and releases it when the work fails. */
export async function keepingLease<Result>(
  app: App,
  lease: Lease,
  work: () => Promise<Result>,
): Promise<Result> {
  const keeping = setInterval(() => {
    keepLease(app.db, lease, LEASE_MS).catch((error: unknown) => {
      app.log.warn(
        { event: 'sentence-without-lease', err: error, sentence: lease.hash },
        'a sentence is spoken without its lease',
      );
    });
  }, KEEP_EVERY_MS);
  try {
    return await work();
  } catch (error) {
    // If this fails, the lease lapses by itself.
    await releaseSentence(app.db, lease).catch(() => undefined);
    throw error;
  } finally {
    clearInterval(keeping);
  }
}
