import type { ProviderVoice } from '../provider.js';
import { UnusableModel } from './kinds.js';
import type { ModelKind } from './messages.js';
import {
  capitalised,
  kittenSpeaker,
  kokoroSpeaker,
  showable,
  type SpeakerNaming,
} from './naming.js';

/** A voice of a model. */
export interface ModelSpeaker extends ProviderVoice {
  /** Its number in the model, from 0. */
  readonly number: number;
  /** Further parts of the engine's configuration, for example Kokoro's language. */
  readonly parts: Readonly<Record<string, string>>;
  /** Further options for each sentence. */
  readonly extra: Readonly<Record<string, number | string>>;
  /** A recording in the folder of the model whose voice is imitated. */
  readonly reference: string | null;
}

export interface SpeakerSources {
  readonly folder: string;
  /** The name of the model, for people. */
  readonly name: string;
  readonly kind: ModelKind;
  readonly metadata: ReadonlyMap<string, string>;
  /** How many speakers the files state. 0 for one. */
  readonly speakers: number;
  /** The languages of the model. */
  readonly languages: readonly string[];
  /** Paths of the recordings in the folder. */
  readonly recordings: readonly string[];
  /** Names of speakers from a file beside the model. */
  readonly namesByNumber: ReadonlyMap<number, string>;
}

/** Some kinds generate speech from random noise. The fixed seed makes a sentence always sound the same. */
const SEED = 42;

/** No model is offered with more. */
const SPEAKERS_MAX = 1000;

/** The voices of a model. @throws UnusableModel */
export function speakersOf(sources: SpeakerSources): readonly ModelSpeaker[] {
  const { kind } = sources;
  const speakers = kind === 'pocket' ? ofRecordings(sources) : ofNumbers(sources);
  if (speakers.length === 0)
    throw new UnusableModel('it has no voice in a language that is offered');
  return speakers;
}

/** Pocket's models imitate the voice of a recording, so that each recording in the folder is a voice. */
function ofRecordings({ folder, languages, recordings }: SpeakerSources): ModelSpeaker[] {
  if (recordings.length === 0)
    throw new UnusableModel('it imitates recordings, and there is no file that ends with .wav');
  return recordings.slice(0, SPEAKERS_MAX).map((reference) => {
    const id =
      reference
        .split('/')
        .at(-1)
        ?.replace(/\.wav$/, '') ?? reference;
    return {
      id: `${folder}:${id}`,
      name: capitalised(id),
      languages: languages.length === 0 ? ['en'] : languages,
      gender: null,
      number: 0,
      parts: {},
      extra: { max_reference_audio_len: 12, seed: SEED },
      reference,
    };
  });
}

function ofNumbers(sources: SpeakerSources): ModelSpeaker[] {
  const { folder, metadata, namesByNumber, speakers: stated } = sources;
  const names = (metadata.get('speaker_names') ?? '').split(',').filter((name) => name !== '');
  if (!Number.isInteger(stated) || stated < 0 || stated > 100_000)
    throw new UnusableModel('its metadata do not state the number of speakers');
  const count = Math.min(SPEAKERS_MAX, Math.max(1, stated));
  return Array.from({ length: count }, (_, number) => {
    const naming = namingOf(sources, {
      number,
      count,
      id: names[number] ?? namesByNumber.get(number),
    });
    if (naming === null) return null;
    const languages = naming.languages ?? languagesOf(sources);
    const id = count === 1 ? folder : `${folder}:${String(number)}`;
    const { name, gender } = naming;
    return {
      id,
      name,
      languages,
      gender,
      number,
      ...optionsOf(sources, languages),
      reference: null,
    };
  }).filter((speaker) => speaker !== null);
}

function languagesOf({ kind, languages }: SpeakerSources): readonly string[] {
  if (languages.length > 0) return languages;
  if (kind === 'kitten' || kind === 'supertonic') return ['en'];
  throw new UnusableModel(
    'its language is not known: state it with npm run voices -- language, for example en',
  );
}

/** @returns null for a speaker whose language the engine does not read */
function namingOf(
  { kind, name }: SpeakerSources,
  { number, count, id }: { number: number; count: number; id: string | undefined },
): SpeakerNaming | null {
  if (kind === 'kokoro' && id !== undefined) {
    const naming = kokoroSpeaker(id);
    if (naming?.languages?.some((tag) => !(tag in KOKORO_LANGS)) === true) return null;
    if (naming !== null) return naming;
  }
  if (kind === 'kitten' && id !== undefined) return kittenSpeaker(id);
  const told = showable(id ?? '');
  const which = count === 1 ? '' : `, ${told === '' ? `speaker ${String(number + 1)}` : told}`;
  return { name: `${name}${which}`, gender: null, languages: null };
}

/**
 * The engine's names for the languages of Kokoro. It has no rules for the sounds of Japanese. Chinese is read by the
 * model's lexicon, and words in Latin letters among it as English.
 */
const KOKORO_LANGS: Readonly<Record<string, string>> = {
  'en-US': 'en-us',
  'en-GB': 'en-gb',
  es: 'es',
  fr: 'fr',
  hi: 'hi',
  it: 'it',
  'pt-BR': 'pt-br',
  zh: '',
};

function optionsOf(
  { kind, metadata }: SpeakerSources,
  languages: readonly string[],
): Pick<ModelSpeaker, 'parts' | 'extra'> {
  const [tag = ''] = languages;
  // Version 1 reads English alone, and has no such option.
  const lang = Number(metadata.get('version') ?? '1') >= 2 ? KOKORO_LANGS[tag] : undefined;
  if (kind === 'kokoro' && lang) return { parts: { lang }, extra: {} };
  if (kind === 'supertonic')
    return { parts: {}, extra: { lang: tag.split('-')[0] ?? 'en', seed: SEED } };
  return { parts: {}, extra: {} };
}
