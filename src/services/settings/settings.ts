import type { App } from '../app.js';
import { PASSWORD_LENGTH_MIN } from '../validation.js';
import { readLanguages, readTags, type LanguageCount, type TagCount } from './settings.sql.js';

export type { LanguageCount, TagCount };

/** What a client needs before the user signs in. */
export interface Settings {
  readonly unitLabel: string;
  /** Code points that one point pays for. */
  readonly unitSize: number;
  readonly welcomePoints: number;
  readonly passwordMinLength: number;
  readonly purchases: boolean;
}

/** The settings from the configuration. `purchases` is false, because this server sells no points. */
export const settingsOf = ({ config }: Pick<App, 'config'>): Settings => ({
  unitLabel: config.credits.unitLabel,
  unitSize: config.credits.unitSize,
  welcomePoints: config.credits.initial,
  passwordMinLength: PASSWORD_LENGTH_MIN,
  purchases: false,
});

/** The lists are returned without pages, so they are bounded. */
const LANGUAGES_MAX = 100;
const TAGS_MAX = 100;

/** The languages of the library, those with the most stories first, for each of the keys: there is one library. */
export async function languagesOfLibrary(
  { db }: Pick<App, 'db'>,
  keys: readonly string[],
): Promise<Map<string, LanguageCount[]>> {
  const languages = await readLanguages(db, LANGUAGES_MAX);
  return new Map(keys.map((key) => [key, languages]));
}

/** The tags of the library, those with the most stories first, as `languagesOfLibrary` has the languages. */
export async function tagsOfLibrary(
  { db }: Pick<App, 'db'>,
  keys: readonly string[],
): Promise<Map<string, TagCount[]>> {
  const tags = await readTags(db, TAGS_MAX);
  return new Map(keys.map((key) => [key, tags]));
}
