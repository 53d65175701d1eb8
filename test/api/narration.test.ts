import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ask, execute, send } from '../support/client.js';
import { readMp3 } from '../support/mp3.js';
import { Narrate, Quote, Wallet } from '../support/operations.js';
import {
  administrator,
  englishVoice,
  narrate,
  newListener,
  newStory,
  textOf,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let admin: Person;
let voiceId: string;

beforeAll(async () => {
  talebank = await startTalebank();
  url = talebank.url;
  admin = await administrator(url);
  voiceId = await englishVoice(url);
});
afterAll(() => talebank.close());

const secondsOf = (timestamp: string): number =>
  timestamp.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);

test('a listener signs up, narrates a story, hears it, and sees what it cost', async () => {
  const listener = await newListener(url);
  const content = textOf(1000);
  const story = await newStory(url, admin, { content });

  const { quoteAudio } = await ask(url, Quote, { storyId: story.id, voiceId }, listener.token);
  expect(quoteAudio).toMatchObject({
    requiredCredits: 1,
    balance: 10,
    affordable: true,
    shortfall: 0,
    existing: null,
  });
  expect(quoteAudio.allocations).toMatchObject([{ amount: 1, lot: { source: 'FREE' } }]);

  const { synthesizeAudio } = await ask(
    url,
    Narrate,
    { input: { storyId: story.id, voiceId } },
    listener.token,
  );
  expect(synthesizeAudio).toMatchObject({
    audio: { status: 'QUEUED', creditsCharged: 1 },
    charge: { seq: 2, type: 'DEBIT', amount: -1, balanceAfter: 9 },
    balance: 9,
  });

  const audio = await waitForAudio(url, listener, synthesizeAudio.audio.id);
  expect(audio).toMatchObject({
    status: 'READY',
    progress: 1,
    creditsCharged: 1,
    failureReason: null,
  });
  // An id is the same however its digits are written.
  const node = `{ node(id: "${audio.id.toUpperCase()}") { __typename id } }`;
  const { data } = await send(url, node, {}, { token: listener.token });
  expect(data).toEqual({ node: { __typename: 'Audio', id: audio.id } });

  const file = await fetch(audio.url ?? '');
  expect(file.headers.get('content-type')).toBe('audio/mpeg');
  const bytes = new Uint8Array(await file.arrayBuffer());
  expect(bytes.length).toBe(audio.byteSize);
  const mp3 = readMp3(bytes);
  expect(mp3.constantBitrate).toBe(true);
  expect(mp3.looksSilent).toBe(false);

  const captions = await (await fetch(audio.captionsUrl ?? '')).text();
  const ends = [...captions.matchAll(/--> (\S+)/g)].map((match) => secondsOf(match[1] ?? ''));
  expect(ends.length).toBe([...content.matchAll(/\w\.(?= |$)/g)].length);
  const spoken = ends.at(-1) ?? 0;
  expect(Math.abs(mp3.durationSeconds - spoken) / spoken).toBeLessThan(0.05);
  expect(Math.abs((audio.durationSeconds ?? 0) - spoken)).toBeLessThan(0.01);

  const { me } = await ask(url, Wallet, {}, listener.token);
  expect(me?.credits).toMatchObject({ balance: 9, bySource: [{ source: 'FREE', balance: 9 }] });
  expect(me?.creditHistory.nodes).toMatchObject([
    {
      seq: 2,
      type: 'DEBIT',
      amount: -1,
      balanceAfter: 9,
      story: { title: 'The Moon' },
      audio: { status: 'READY' },
    },
    { seq: 1, type: 'GRANT', amount: 10, balanceAfter: 10, story: null, audio: null },
  ]);
});

test('asking again for the same narration is free', async () => {
  const listener = await newListener(url);
  const story = await newStory(url, admin);
  const first = await narrate(url, listener, story.id, voiceId);
  await waitForAudio(url, listener, first.audioId);
  const second = await narrate(url, listener, story.id, voiceId);
  expect(second).toEqual({ audioId: first.audioId, balance: 9, charged: false });
});

test('a story that was edited is another narration, and the old one stays as it was', async () => {
  const listener = await newListener(url);
  const story = await newStory(url, admin, { content: 'Once.' });
  const first = await narrate(url, listener, story.id, voiceId);
  await talebank.database.sql(
    `WITH text AS (INSERT INTO story_texts (hash, content, character_count)
       VALUES (encode(sha256('Twice.'), 'hex'), 'Twice.', 6) ON CONFLICT (hash) DO UPDATE SET content = excluded.content RETURNING hash)
     UPDATE stories SET text_hash = (SELECT hash FROM text) WHERE id = $1`,
    [story.id],
  );
  const second = await narrate(url, listener, story.id, voiceId);
  expect(second.audioId).not.toBe(first.audioId);
  expect(second.charged).toBe(true);
  const [old, now] = await Promise.all([
    waitForAudio(url, listener, first.audioId),
    waitForAudio(url, listener, second.audioId),
  ]);
  expect(await (await fetch(old.captionsUrl ?? '')).text()).toContain('Once.');
  expect(await (await fetch(now.captionsUrl ?? '')).text()).toContain('Twice.');
});

test('two listeners are each charged for the same words, which are spoken once', async () => {
  const [ada, ben] = await Promise.all([newListener(url), newListener(url)]);
  const story = await newStory(url, admin, { content: 'Only once is this spoken.' });
  const first = await narrate(url, ada, story.id, voiceId);
  const spoken = await waitForAudio(url, ada, first.audioId);
  const second = await narrate(url, ben, story.id, voiceId);
  const shared = await waitForAudio(url, ben, second.audioId);
  expect(second.charged).toBe(true);
  expect(new URL(shared.url ?? '').pathname).toBe(new URL(spoken.url ?? '').pathname);
});

test('an unpublished or deleted story cannot be asked for, and its narrations stay', async () => {
  const listener = await newListener(url);
  const hidden = await newStory(url, admin, { published: false });
  const { errors } = await execute(
    url,
    Narrate,
    { input: { storyId: hidden.id, voiceId } },
    { token: listener.token },
  );
  expect(errors[0]?.extensions.code).toBe('NOT_FOUND');

  const story = await newStory(url, admin, { title: 'Going' });
  const { audioId } = await narrate(url, listener, story.id, voiceId);
  await waitForAudio(url, listener, audioId);
  await talebank.database.sql('UPDATE stories SET deleted_at = now() WHERE id = $1', [story.id]);
  expect(await waitForAudio(url, listener, audioId)).toMatchObject({ story: { title: 'Going' } });
});
