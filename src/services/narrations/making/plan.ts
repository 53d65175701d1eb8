import type { App } from '../../../app.js';
import { splitSentences } from '../../../domain/sentences.js';
import type { Draft } from '../../../domain/spoken/draft.js';
import { withSpoken } from '../../../domain/spoken/spoken.js';
import { sha256Hex } from '../../../domain/text.js';
import { SpeechError } from '../../../infra/speech/provider.js';

/** The text of a narration, and how it is spoken. */
export interface Script {
  readonly textHash: string;
  readonly content: string;
  /** BCP 47. */
  readonly language: string;
  readonly provider: string;
  readonly providerVoice: string;
}

export interface PlannedSentence {
  /** As it is stored, for captions. */
  readonly text: string;
  /** What is spoken, with its map to `text`. */
  readonly spoken: Draft;
  /** Over everything that determines the sound. */
  readonly hash: string;
}

/** Provider, voice and settings. Together with the words, they determine the sound. */
const soundOf = (app: App, { provider, providerVoice, language }: Script): readonly unknown[] => [
  provider,
  app.speech.settings,
  providerVoice,
  language,
  app.config.synthesis.bitrateKbps,
];

/** The hash that identifies a recording. @throws SpeechError when the voice belongs to another provider */
export function renditionHashOf(app: App, script: Script): string {
  if (script.provider !== app.speech.name)
    throw new SpeechError(`The voice was one of ${script.provider}.`, {
      permanent: true,
      kind: 'unknown-voice',
    });
  return sha256Hex(JSON.stringify([...soundOf(app, script), script.textHash]));
}

/** The sentences in reading order. They are generated one at a time, because a text may be long. */
export function* planSentences(app: App, script: Script): Generator<PlannedSentence> {
  const sound = soundOf(app, script);
  const sentences = splitSentences(script.content, script.language);
  // The hash is of what is spoken, so that a sentence that is spoken as it is stored keeps its hash.
  for (const { text, spoken } of withSpoken(sentences, script.language))
    yield { text, spoken, hash: sha256Hex(JSON.stringify([...sound, { sentence: spoken.text }])) };
}
