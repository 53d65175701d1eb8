import { randomBytes } from 'node:crypto';
import { ask } from './client.js';
import { PATIENCE_MS, pauseSince } from './faults.js';
import { AudioById, CreateStory, Login, Narrate, Register, Voices } from './operations.js';
import { ADMIN } from './talebank.js';
import type { AudioByIdQuery, GrantCreditsInput, StoryInput } from './generated/graphql.js';
import { Grant } from './operations.js';

export interface Person {
  readonly id: string;
  readonly email: string;
  readonly token: string;
  readonly refreshToken: string;
}

/** The password of those who sign up. */
export const PASSWORD = 'a good password';

/** Someone who has just signed up, with the 10 points for that. */
export async function newListener(url: string): Promise<Person> {
  const email = `listener-${randomBytes(6).toString('hex')}@example.com`;
  const { register } = await ask(url, Register, { input: { email, password: PASSWORD } });
  return {
    id: register.user.id,
    email,
    token: register.accessToken,
    refreshToken: register.refreshToken ?? '',
  };
}

export async function administrator(url: string): Promise<Person> {
  const { login } = await ask(url, Login, { input: { ...ADMIN } });
  return {
    id: login.user.id,
    email: ADMIN.email,
    token: login.accessToken,
    refreshToken: login.refreshToken ?? '',
  };
}

let tales = 0;

/** A text with this many code points. No other text has its sentences, so that each of them must be spoken. */
export function textOf(length: number, beginning = ''): string {
  tales += 1;
  let text = beginning;
  for (let night = 1; text.length < length; night += 1)
    text += `On night ${String(tales)}-${String(night)} the moon went over the hill and looked into every window. `;
  return `${text.slice(0, length - 1)}.`;
}

/** A published story; of a length in code points when only that is given. */
export async function newStory(
  url: string,
  admin: Person,
  input: Partial<StoryInput> & { length?: number } = {},
): Promise<{ id: string; requiredCredits: number }> {
  const { length = 60, ...given } = input;
  const story = {
    title: 'The Moon',
    author: 'Talebank',
    language: 'en',
    content: textOf(length),
    published: true,
    // So that a recording has nothing but the text.
    announced: false,
    ...given,
  };
  const { createStory } = await ask(url, CreateStory, { input: story }, admin.token);
  return createStory;
}

export async function englishVoice(url: string): Promise<string> {
  const { voices } = await ask(url, Voices, { language: 'en' });
  return voices[0]?.id ?? '';
}

let grants = 0;

export async function grantTo(
  url: string,
  admin: Person,
  person: Person,
  input: Partial<GrantCreditsInput> = {},
): Promise<string> {
  grants += 1;
  const { grantCredits } = await ask(
    url,
    Grant,
    {
      input: {
        userId: person.id,
        amount: 10,
        source: 'ADD_ON',
        reason: 'A test',
        idempotencyKey: `test-${String(grants)}`,
        ...input,
      },
    },
    admin.token,
  );
  return grantCredits.lot.id;
}

export async function narrate(
  url: string,
  person: Person,
  storyId: string,
  voiceId: string,
): Promise<{ audioId: string; balance: number; charged: boolean }> {
  const { synthesizeAudio } = await ask(
    url,
    Narrate,
    { input: { storyId, voiceId } },
    person.token,
  );
  const { audio, balance, charge } = synthesizeAudio;
  return { audioId: audio.id, balance, charged: charge !== null };
}

type Audio = NonNullable<AudioByIdQuery['audio']>;

/** Asks until the narration is in one of the statuses. */
export async function waitForAudio(
  url: string,
  person: Person,
  audioId: string,
  statuses: readonly Audio['status'][] = ['READY', 'FAILED', 'CANCELLED'],
  timeoutMs = PATIENCE_MS,
): Promise<Audio> {
  const startedMs = Date.now();
  for (;;) {
    const { audio } = await ask(url, AudioById, { id: audioId }, person.token);
    if (audio != null && statuses.includes(audio.status)) return audio;
    if (Date.now() > startedMs + timeoutMs)
      throw new Error(`The narration is still ${String(audio?.status)}.`);
    await pauseSince(startedMs);
  }
}
