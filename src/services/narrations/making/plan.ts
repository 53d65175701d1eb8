import { setImmediate } from 'node:timers/promises';
import type { App } from '../../../app.js';
import { eachSentence } from '../../../domain/sentences.js';
import { sha256Hex } from '../../../domain/text.js';
import { SpeechError } from '../../../infra/speech/provider.js';

/** What is to be spoken, and how. */
export interface Script {
  readonly textHash: string;
  readonly content: string;
  /** BCP 47. */
  readonly language: string;
  readonly provider: string;
  readonly providerVoice: string;
}

export interface PlannedSentence {
  readonly text: string;
  /** Over everything that decides how it sounds. */
  readonly hash: string;
}

/** Provider, voice, settings: with the words, everything that decides how it sounds. */
const soundOf = (app: App, { provider, providerVoice, language }: Script): readonly unknown[] => [
  provider,
  app.speech.settings,
  providerVoice,
  language,
  app.config.synthesis.bitrateKbps,
];

/** The same hash is the same recording. @throws SpeechError when another provider had this voice */
export function recordingHash(app: App, script: Script): string {
  if (script.provider !== app.speech.name)
    throw new SpeechError(`The voice was one of ${script.provider}.`, {
      permanent: true,
      kind: 'unknown-voice',
    });
  return sha256Hex(JSON.stringify([...soundOf(app, script), script.textHash]));
}

/** The sentences in reading order, one at a time, however long the text. */
export function* planSentences(app: App, script: Script): Generator<PlannedSentence> {
  const sound = soundOf(app, script);
  for (const { text } of eachSentence(script.content, script.language))
    yield { text, hash: sha256Hex(JSON.stringify([...sound, { sentence: text }])) };
}

const AT_ONCE_MS = 10;

/** All of them. Others have their turn in between, for a long text takes longer than an event loop may stand still. */
export async function planAll(app: App, script: Script): Promise<PlannedSentence[]> {
  const sentences: PlannedSentence[] = [];
  let since = performance.now();
  for (const sentence of planSentences(app, script)) {
    sentences.push(sentence);
    if (performance.now() - since < AT_ONCE_MS) continue;
    await setImmediate();
    since = performance.now();
  }
  return sentences;
}
