import type { Config } from '../../../config.js';
import { splitSentences, type Boundary } from '../../../domain/sentences.js';
import { announce, type Announcement } from '../../../domain/segmentation/announcement.js';
import type { Draft } from '../../../domain/spoken/draft.js';
import { spokenOf, withSpoken } from '../../../domain/spoken/spoken.js';
import { sha256Hex } from '../../../domain/text.js';
import { SpeechError, type SpeechProvider } from '../../../infra/speech/provider.js';

/** The text of a narration, and how it is spoken. */
export interface Script {
  readonly textHash: string;
  readonly content: string;
  /** BCP 47. */
  readonly language: string;
  readonly provider: string;
  readonly providerVoice: string;
  /** What is said before the text. Null or absent when nothing is. */
  readonly announcement?: Announcement | null;
}

export interface PlannedSentence {
  /** Whether it announces the story, and is no part of its text. */
  readonly isAnnouncement: boolean;
  /** As it is stored, for captions. */
  readonly text: string;
  /** Where it stands in the stored text: UTF-16 offsets of its start and its end. */
  readonly start: number;
  readonly end: number;
  /** How many UTF-16 units of `text` belong to sentences before it that are not spoken. */
  readonly lead: number;
  /** The stored text from `start` to `end`. */
  readonly source: string;
  /** What is spoken, with its map to `text`. */
  readonly spoken: Draft;
  /** Over everything that determines the sound. */
  readonly hash: string;
  /** What separates it from the next sentence. It determines the pause, and is no part of the hash. */
  readonly boundary: Boundary;
  /** Whether it is a heading of the text, or a part of one. */
  readonly isHeading: boolean;
}

/**
 * How spoken sentences are prepared and put together. A change makes new sentences and recordings; those that are
 * stored stay as they are. 1: as the provider spoke them. 2: levelled, without silence around, with pauses between.
 */
const FORMAT = 2;

/** The settings of this process that determine the sound. */
interface Synthesis {
  readonly config: Pick<Config, 'synthesis'>;
  readonly speech: Pick<SpeechProvider, 'name' | 'settings' | 'definitionOf'>;
}

/** Provider, voice and settings. Together with the words, they determine the sound. */
export const soundOf = (
  app: Synthesis,
  { provider, providerVoice, language }: Pick<Script, 'provider' | 'providerVoice' | 'language'>,
): readonly unknown[] => {
  const definition = app.speech.definitionOf?.(providerVoice);
  return [
    provider,
    app.speech.settings,
    providerVoice,
    language,
    app.config.synthesis.bitrateKbps,
    // Recordings of voices without a definition keep the hashes that they had before there was one.
    definition === undefined ? { format: FORMAT } : { format: FORMAT, definition },
  ];
};

/** The hash that identifies a recording. @throws SpeechError when the voice belongs to another provider */
export function recordingHashOf(app: Synthesis, script: Omit<Script, 'content'>): string {
  if (script.provider !== app.speech.name)
    throw new SpeechError(`The voice was one of ${script.provider}.`, {
      permanent: true,
      kind: 'unknown-voice',
    });
  const { textHash, announcement = null } = script;
  // Recordings without an announcement keep the hashes that they had before there were any.
  const before = announcement === null ? [] : [[announcement.title, announcement.author]];
  return sha256Hex(JSON.stringify([...soundOf(app, script), textHash, ...before]));
}

/** The sentences in reading order. They are generated one at a time, because a text may be long. */
export function* planSentences(app: Synthesis, script: Script): Generator<PlannedSentence> {
  const { content, language, announcement = null } = script;
  const sound = soundOf(app, script);
  // The hash is of what is spoken, so that a sentence whose stored text differs only in markup is spoken once.
  const hashOf = (spoken: Draft): string =>
    sha256Hex(JSON.stringify([...sound, { sentence: spoken.text }]));
  let isFirst = true;
  for (const sentence of withSpoken(splitSentences(content, language), language)) {
    if (isFirst && announcement !== null)
      for (const { text, boundary } of announce(
        announcement,
        sentence.text.slice(sentence.lead),
        language,
      )) {
        const spoken = spokenOf(text, language);
        const nowhere = { start: 0, end: 0, lead: 0, source: '', isHeading: false };
        yield { ...nowhere, text, boundary, spoken, hash: hashOf(spoken), isAnnouncement: true };
      }
    isFirst = false;
    const { text, start, end, lead, spoken, boundary, isHeading } = sentence;
    const source = content.slice(start, end);
    const own = { text, start, end, lead, source, boundary, isHeading, spoken };
    yield { ...own, hash: hashOf(spoken), isAnnouncement: false };
  }
}
