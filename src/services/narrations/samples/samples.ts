import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { App } from '../../app.js';
import { newId } from '../../../domain/ids.js';
import { measureMp3 } from '../../../domain/mp3.js';
import { spokenOf } from '../../../domain/spoken/spoken.js';
import { isCleanText, sha256Hex } from '../../../domain/text.js';
import { SpeechError, type SpeechRequest } from '../../../infra/speech/provider.js';
import { storeWhole } from '../../../infra/storage/storage.js';
import { localeOf, voicesById, type Voice } from '../../stories/voices.js';
import { storageKey } from '../addresses.js';
import { soundOf } from '../synthesis/plan.js';
import {
  forgetFile,
  leaseSentence,
  readPlaces,
  writeSpoken,
  type Lease,
} from '../synthesis/sentences.sql.js';
import { keepingLease, LEASE_MS, LOOK_EVERY_MS } from '../synthesis/speak-sentences.js';
import { restMsOf } from '../retries/rests.js';
import { sampleTextOf } from './texts.js';

/** The path of the addresses of samples. They are not signed, because samples are free. */
export const SAMPLES_PATH = '/samples';

/** How many samples one process makes at once, so that narrations do not wait for many of them. */
const MADE_AT_ONCE = 4;
const FULL_SECONDS = 2;
/** A provider that fails is not asked for the same sample again during this time. */
const AFTER_FAILURE_SECONDS = 60;

/** Why there is no sample yet, and when to come again. */
export class SampleDelayed extends Error {
  constructor(readonly retryAfterSeconds: number) {
    super('The sample of the voice cannot be made at the moment.');
  }
}

/** A few seconds of a voice. Its hash covers everything that determines the sound, as that of a sentence does. */
interface Sample {
  readonly hash: string;
  readonly request: SpeechRequest;
}

/** @returns null for a voice that is not available, and for a language without a text */
const sampleOf = (app: App, voice: Voice): Sample | null =>
  voice.available ? sampleAsItIs(app, voice) : null;

/** @returns null for a voice of another provider, and for a language without a text */
function sampleAsItIs(app: App, voice: Voice): Sample | null {
  const { provider, providerVoice } = voice;
  const language = localeOf(voice);
  const text = sampleTextOf(language);
  if (text === null || provider !== app.speech.name) return null;
  const spoken = spokenOf(text, language).text;
  // Never the hash of a sentence of a story, because that one moves into a recording, and is erased with it.
  const sound = [...soundOf(app, { provider, providerVoice, language }), { sample: spoken }];
  return {
    hash: sha256Hex(JSON.stringify(sound)),
    request: { text: spoken, voice: providerVoice, language },
  };
}

/** The address of the sample of a voice, which anyone may open. Null when the voice has none. */
export function sampleUrlOf(app: App, voice: Voice): string | null {
  const sample = sampleOf(app, voice);
  if (sample === null) return null;
  const file = storageKey(sample.hash, 'mp3');
  return `${app.publicUrl()}${SAMPLES_PATH}/${file}?voice=${encodeURIComponent(voice.id)}`;
}

/**
 * The storage key of a sample. It is made on the first request, and only if the voice is offered and the hash is that of
 * its sample, so that a client can have nothing else spoken.
 * @returns null when there is no such sample
 * @throws SampleDelayed when it cannot be made now
 */
export async function provideSample(
  app: App,
  { hash, voiceId }: { readonly hash: string; readonly voiceId: string },
): Promise<string | null> {
  const key = storageKey(hash, 'mp3');
  if (await isKept(app, hash)) return key;
  if (!isCleanText(voiceId)) return null;
  const voice = (await voicesById(app, [voiceId])).get(voiceId);
  const sample = voice === undefined ? null : sampleOf(app, voice);
  if (sample?.hash !== hash) return null;
  await makeOnce(app, sample, voiceId);
  return key;
}

/**
 * The hashes of the samples of all voices of the provider, as they sound now. Voices that are not offered at the moment
 * count, because the provider may only be unreachable.
 */
export async function presentSamples(app: App): Promise<ReadonlySet<string>> {
  const voices = await app.db.voice.findMany({ where: { provider: app.speech.name } });
  return new Set(voices.flatMap((voice) => sampleAsItIs(app, voice)?.hash ?? []));
}

/** Whether a sample is recorded and its file exists. Other sentences are never in a file with their own hash. */
async function isKept(app: App, hash: string): Promise<boolean> {
  const key = storageKey(hash, 'mp3');
  const [place] = await readPlaces(app.db, [hash]);
  return place?.key === key && (await app.storage.stat(key)) !== null;
}

/** The samples that this process is making. */
const beingMade = new Map<string, Promise<void>>();
/** The samples that could not be made, and when the provider may be asked again. */
const failed = new LRUCache<string, number>({ max: 1_000, ttl: AFTER_FAILURE_SECONDS * 1000 });

/** Makes a sample, or waits while this process is making it. @throws SampleDelayed */
async function makeOnce(app: App, sample: Sample, voiceId: string): Promise<void> {
  const { hash } = sample;
  const begun = beingMade.get(hash);
  if (begun !== undefined) return begun;
  if (failed.has(hash)) throw new SampleDelayed(secondsOf(failed.getRemainingTTL(hash)));
  if (beingMade.size >= MADE_AT_ONCE) throw new SampleDelayed(FULL_SECONDS);
  const making = make(app, sample, voiceId).finally(() => {
    beingMade.delete(hash);
  });
  beingMade.set(hash, making);
  return making;
}

async function make(app: App, sample: Sample, voiceId: string): Promise<void> {
  try {
    await makeAlone(app, sample);
  } catch (error) {
    if (!(error instanceof SpeechError)) throw error;
    const restMs = restMsOf(app.speech, error);
    if (restMs !== null) throw new SampleDelayed(secondsOf(restMs));
    if (error.kind === 'stopped') throw new SampleDelayed(FULL_SECONDS);
    failed.set(sample.hash, 1);
    app.log.warn(
      { event: 'sample-not-made', voiceId, err: error },
      'the sample of a voice could not be made',
    );
    throw new SampleDelayed(AFTER_FAILURE_SECONDS);
  }
}

const secondsOf = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));

/** Makes a sample unless another process does, which is waited for. @throws SampleDelayed, SpeechError */
async function makeAlone(app: App, sample: Sample): Promise<void> {
  const { hash } = sample;
  const lease = { hash, leasedBy: newId() };
  const begunAt = performance.now();
  while (!(await leaseSentence(app.db, lease, LEASE_MS))) {
    if (await isKept(app, hash)) return;
    if (performance.now() - begunAt > LEASE_MS) throw new SampleDelayed(FULL_SECONDS);
    // A row with a place and without a file would keep it from ever being made again.
    if ((await readPlaces(app.db, [hash])).length === 1) await forgetLost(app, hash);
    else await sleep(LOOK_EVERY_MS);
  }
  await keepingLease(app, lease, () => speakSample(app, sample, lease));
}

async function forgetLost(app: App, hash: string): Promise<void> {
  const key = storageKey(hash, 'mp3');
  if ((await app.storage.stat(key)) === null) await forgetFile(app.db, key);
}

async function speakSample(app: App, { hash, request }: Sample, lease: Lease): Promise<void> {
  // Clients that leave do not end this, because others may wait for it, and the provider is paid for it.
  const speech = await app.speech.speak(request, new AbortController().signal);
  const bytes = await app.encoder.encode(speech);
  const key = storageKey(hash, 'mp3');
  await storeWhole(app.storage, key, bytes);
  const lengthBytes = bytes.length;
  const place = { hash, key, offsetBytes: 0, lengthBytes, words: null, ...measureMp3(bytes) };
  await writeSpoken(app.db, place, lease.leasedBy);
}
