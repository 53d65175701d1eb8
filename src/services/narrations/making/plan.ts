import type { App } from '../../../app.js';
import { splitSentences } from '../../../domain/sentences.js';
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
export function renditionHashOf(app: App, script: Script): string {
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
  for (const { text } of splitSentences(script.content, script.language))
    yield { text, hash: sha256Hex(JSON.stringify([...sound, { sentence: text }])) };
}
