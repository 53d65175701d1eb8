import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, type Person } from './product.ts';

/**
 * Sentences are spoken once and kept, so that no two in a run may be the same, and none may be known from a run
 * before: each is numbered by its words, not by digits, which would take longer to say than they are to write.
 */
const WORDS =
  'amber brisk calm dusty early faint gentle hollow idle jolly keen lonely merry narrow olive pale'.split(
    ' ',
  );
const PLACES = 5;
const RUN = Array.from({ length: 4 }, () => `${pick('bdfgklmnprstvz')}${pick('aeiou')}`).join('');

let told = 0;

function pick(letters: string): string {
  return letters[randomInt(letters.length)] ?? '';
}

function nextSentence(): string {
  told += 1;
  const words = Array.from(
    { length: PLACES },
    (_, place) => WORDS[Math.floor(told / WORDS.length ** place) % WORDS.length] ?? '',
  );
  return `The ${words.slice(0, 2).join(' and ')} moon of ${RUN} went over the ${words.slice(2, 4).join(', ')} hill and looked into every ${words.slice(4).join(' ')} window. `;
}

/** A text of this length, in which no sentence repeats one of the same run. */
export function textOf(length: number): string {
  let text = nextSentence();
  for (let sentence = nextSentence(); text.length + sentence.length <= length;) {
    text += sentence;
    sentence = nextSentence();
  }
  // The last one goes on until the length is exact.
  const longer = text.trimEnd().slice(0, -1).padEnd(length, ' and went on');
  return `${longer.slice(0, length - 1)}.`;
}

/** A published story of so many characters. @returns its id */
export async function newStory(url: string, admin: Person, length: number): Promise<string> {
  const { createStory } = await ask<{ createStory: { id: string } }>(
    url,
    'mutation ($input: StoryInput!) { createStory(input: $input) { id } }',
    {
      input: {
        title: `Bench ${String(told)}`,
        author: 'Talebank',
        language: 'en',
        published: true,
        announced: false,
        content: textOf(length),
      },
    },
    admin.token,
  );
  return createStory.id;
}

export async function englishVoice(url: string): Promise<string> {
  const { voices } = await ask<{ voices: { id: string }[] }>(
    url,
    '{ voices(language: "en") { id } }',
  );
  return voices[0]?.id ?? '';
}

export interface Asked {
  readonly id: string;
  /** Null when it is there already. */
  readonly streamUrl: string | null;
}

export async function synthesize(
  url: string,
  person: Person,
  storyId: string,
  voiceId: string,
): Promise<Asked> {
  const { synthesizeAudio } = await ask<{ synthesizeAudio: { audio: Asked } }>(
    url,
    'mutation ($input: SynthesizeAudioInput!) { synthesizeAudio(input: $input) { audio { id streamUrl } } }',
    { input: { storyId, voiceId } },
    person.token,
  );
  return synthesizeAudio.audio;
}

export interface Narrated {
  readonly seconds: number;
  readonly speechSeconds: number;
}

/** Asks for a narration and waits until it is READY. `everyMs` is how often it is asked after. */
export async function narrate(
  url: string,
  person: Person,
  story: { readonly storyId: string; readonly voiceId: string },
  everyMs = 20,
): Promise<Narrated> {
  const startedAt = performance.now();
  const { id } = await synthesize(url, person, story.storyId, story.voiceId);
  for (;;) {
    const { audio } = await ask<{ audio: { status: string; durationSeconds: number } }>(
      url,
      'query ($id: ID!) { audio(id: $id) { status durationSeconds } }',
      { id },
      person.token,
    );
    if (audio.status === 'READY')
      return {
        seconds: (performance.now() - startedAt) / 1000,
        speechSeconds: audio.durationSeconds,
      };
    if (audio.status !== 'QUEUED' && audio.status !== 'PROCESSING')
      throw new Error(`The narration is ${audio.status}.`);
    await sleep(everyMs);
  }
}
