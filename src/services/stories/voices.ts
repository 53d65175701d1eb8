import type { App } from '../app.js';
import type { Rows } from '../../infra/db.js';
import { z } from 'zod';
import { notFound } from '../../domain/errors.js';
import { isCleanText } from '../../domain/text.js';
import { language, parseRequest } from '../validation.js';
import { writeVoices } from './voices.sql.js';

export type Voice = Readonly<
  Pick<
    Rows.Voice,
    'id' | 'name' | 'languages' | 'gender' | 'provider' | 'providerVoice' | 'available'
  >
>;

/** The available voices. With a language, those that speak it in any of its variants. */
export async function listVoices(app: App, wanted: { language?: string | null }): Promise<Voice[]> {
  const request = parseRequest(z.object({ language: language.nullish() }), wanted);
  const voices = await app.db.voice.findMany({
    where: { available: true },
    orderBy: [{ position: 'asc' }, { id: 'asc' }],
  });
  const tag = request.language;
  return tag == null
    ? voices
    : voices.filter((voice) => voice.languages.some((spoken) => speaks(spoken, tag)));
}

/** The first language of a voice. */
export const localeOf = ({ languages }: Pick<Voice, 'languages'>): string => languages[0] ?? 'und';

/** `en` matches en-GB, and `en-GB` matches en. */
const speaks = (spoken: string, wanted: string): boolean =>
  spoken === wanted || spoken.startsWith(`${wanted}-`) || wanted.startsWith(`${spoken}-`);

/** An available voice by its id. @throws NOT_FOUND */
export async function findVoice(app: App, id: string): Promise<Voice> {
  const voice = !isCleanText(id)
    ? null
    : await app.db.voice.findUnique({ where: { id, available: true } });
  if (voice === null) throw notFound('voice');
  return voice;
}

/** Voices by id, including unavailable ones. */
export async function voicesById(app: App, ids: readonly string[]): Promise<Map<string, Voice>> {
  const rows = await app.db.voice.findMany({ where: { id: { in: [...ids] } } });
  return new Map(rows.map((row) => [row.id, row]));
}

/** Keeps offering the stored voices of the speech provider, for when the provider is unreachable. */
export async function keepVoices(app: App): Promise<void> {
  await app.db.voice.updateMany({
    where: { available: true, provider: { not: app.speech.name } },
    data: { available: false },
  });
}

/**
 * Stores the voices that the speech provider offers. Voices that it does not offer any more are kept as unavailable.
 * @throws SpeechError when the provider is unreachable; then nothing is changed
 */
export async function syncVoices(app: App): Promise<void> {
  const provider = app.speech.name;
  const offered = (await app.speech.listVoices()).map((voice, index) => ({
    id: `${provider}-${voice.id}`,
    voice: voice.id,
    name: voice.name,
    languages: voice.languages,
    gender: voice.gender,
    position: index,
  }));
  await writeVoices(app.db, provider, offered);
}
