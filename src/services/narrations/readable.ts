import { LRUCache } from 'lru-cache';
import type { App } from '../app.js';
import { voiceCannotRead } from '../../domain/errors.js';
import {
  canRead,
  countLetters,
  speaksLanguage,
  type LetterCounts,
} from '../../domain/spoken/scripts.js';
import type { Story } from '../stories/stories.js';
import { contentsByHash } from '../stories/texts.js';
import { listVoices, type Voice } from '../stories/voices.js';

/** The counts of texts that were narrated lately, because a text never changes and may be long. */
const counted = new LRUCache<string, LetterCounts>({ max: 1_000 });

/** More voices are not named in a refusal. */
const NAMED_MAX = 10;

/**
 * Checks that a voice can read a story, its language and its script, before points are spent on it.
 * @throws VOICE_CANNOT_READ, with the voices that can
 */
export async function checkReadable(
  app: App,
  story: Pick<Story, 'textHash' | 'language'>,
  voice: Pick<Voice, 'name' | 'languages'>,
): Promise<void> {
  const letters = await lettersOf(app, story.textHash);
  const reads = ({ languages }: Pick<Voice, 'languages'>): boolean =>
    speaksLanguage(languages, story.language) && canRead(languages, letters);
  if (reads(voice)) return;
  const able = (await listVoices(app, {})).filter(reads).slice(0, NAMED_MAX);
  throw voiceCannotRead(
    voice.name,
    canRead(voice.languages, letters) ? 'language' : 'script',
    able,
  );
}

async function lettersOf(app: App, textHash: string): Promise<LetterCounts> {
  const known = counted.get(textHash);
  if (known !== undefined) return known;
  const content = (await contentsByHash(app, [textHash])).get(textHash) ?? '';
  const letters = countLetters(content);
  counted.set(textHash, letters);
  return letters;
}
