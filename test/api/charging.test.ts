import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ask, execute, send } from '../support/client.js';
import { Narrate, Quote, UpdateStory } from '../support/operations.js';
import {
  administrator,
  englishVoice,
  grantTo,
  narrate,
  newListener,
  newStory,
  type Person,
} from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let admin: Person;
let voiceId: string;

// There is no worker, so that requested narrations stay queued.
beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  admin = await administrator(url);
  voiceId = await englishVoice(url);
});
afterAll(() => talebank.close());

test('without enough points nothing is charged, written or queued', async () => {
  const listener = await newListener(url);
  const story = await newStory(url, admin, { length: 10_001 });
  expect(story.requiredCredits).toBe(11);
  const before = await talebank.database.sql('SELECT count(*) FROM pgboss.job');
  const { errors, data } = await execute(
    url,
    Narrate,
    { input: { storyId: story.id, voiceId } },
    { token: listener.token },
  );
  expect(data).toBeNull();
  expect(errors[0]?.extensions).toEqual({
    code: 'INSUFFICIENT_CREDITS',
    required: 11,
    available: 10,
    shortfall: 1,
  });
  expect(
    await talebank.database.sql('SELECT * FROM audios WHERE user_id = $1', [listener.id]),
  ).toEqual([]);
  expect(await talebank.database.sql('SELECT count(*) FROM pgboss.job')).toEqual(before);

  // A refusal is not remembered: top up, and try again.
  await grantTo(url, admin, listener, { amount: 1 });
  expect(await narrate(url, listener, story.id, voiceId)).toMatchObject({
    charged: true,
    balance: 0,
  });
});

test('a price above maxCredits is refused with the price', async () => {
  const listener = await newListener(url);
  const story = await newStory(url, admin, { length: 2001 });
  const input = { storyId: story.id, voiceId, maxCredits: 2 };
  const { errors } = await execute(url, Narrate, { input }, { token: listener.token });
  expect(errors[0]?.extensions).toEqual({ code: 'PRICE_CHANGED', required: 3 });
  const paid = await ask(url, Narrate, { input: { ...input, maxCredits: 3 } }, listener.token);
  expect(paid.synthesizeAudio.charge?.amount).toBe(-3);
});

test('a story in a script that the voice does not read is refused with the voices that do', async () => {
  const listener = await newListener(url);
  const content = 'Сонце гріє хату, а діти сплять. Tom сказав так.';
  const story = await newStory(url, admin, { content, language: 'uk' });
  const asked = { storyId: story.id, voiceId };
  const refusals = [
    await execute(url, Narrate, { input: asked }, { token: listener.token }),
    await execute(url, Quote, asked, { token: listener.token }),
  ];
  for (const { errors } of refusals) {
    expect(errors[0]?.extensions.code).toBe('VOICE_CANNOT_READ');
    const voices = errors[0]?.extensions['voices'] as string[];
    expect(voices).toEqual(['espeak-uk']);
    expect(errors[0]?.message).toMatch(/another script\. Choose another voice: Ukrainian\./u);
  }
  const sql = 'SELECT count(*)::int AS made FROM audios WHERE user_id = $1';
  expect(await talebank.database.sql(sql, [listener.id])).toEqual([{ made: 0 }]);
  const paid = await narrate(url, listener, story.id, 'espeak-uk');
  expect(paid).toMatchObject({ charged: true, balance: 9 });

  // A narration that was paid for is returned, whatever its voice can read.
  await talebank.database.sql("UPDATE voices SET languages = '{en}' WHERE id = 'espeak-uk'");
  expect(await narrate(url, listener, story.id, 'espeak-uk')).toMatchObject({
    audioId: paid.audioId,
    charged: false,
  });
  await talebank.database.sql("UPDATE voices SET languages = '{uk}' WHERE id = 'espeak-uk'");
});

test('a story in a language that the voice does not speak is refused, even if it reads the script', async () => {
  const listener = await newListener(url);
  const story = await newStory(url, admin, { content: 'Der Mond ging auf.', language: 'de-AT' });
  const asked = { storyId: story.id, voiceId };
  for (const { errors } of [
    await execute(url, Narrate, { input: asked }, { token: listener.token }),
    await execute(url, Quote, asked, { token: listener.token }),
  ]) {
    expect(errors[0]?.extensions).toEqual({
      code: 'VOICE_CANNOT_READ',
      voices: ['espeak-de'],
    });
    expect(errors[0]?.message).toMatch(/another language\. Choose another voice: German\./u);
  }
  const sql = 'SELECT count(*)::int AS made FROM audios WHERE user_id = $1';
  expect(await talebank.database.sql(sql, [listener.id])).toEqual([{ made: 0 }]);
  expect(await narrate(url, listener, story.id, 'espeak-de')).toMatchObject({ charged: true });
});

test('the same idempotency key gives the first answer again, and refuses another request', async () => {
  const listener = await newListener(url);
  const [story, other] = await Promise.all([
    newStory(url, admin),
    newStory(url, admin, { length: 200 }),
  ]);
  const input = { storyId: story.id, voiceId, idempotencyKey: 'once' };
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => ask(url, Narrate, { input }, listener.token)),
  );
  const charges = new Set(answers.map(({ synthesizeAudio }) => synthesizeAudio.charge?.seq));
  expect(charges).toEqual(new Set([2]));
  const { errors } = await execute(
    url,
    Narrate,
    { input: { ...input, storyId: other.id } },
    { token: listener.token },
  );
  expect(errors[0]?.extensions).toEqual({ code: 'IDEMPOTENCY_KEY_REUSED' });
});

test('with points for one, one of two concurrent requests is served and the other refused', async () => {
  for (let round = 0; round < 10; round += 1) {
    const listener = await newListener(url);
    const [one, two] = await Promise.all([
      newStory(url, admin, { length: 5001 + round }),
      newStory(url, admin, { length: 5500 + round }),
    ]);
    const answers = await Promise.all(
      [one, two].map((story) =>
        execute(url, Narrate, { input: { storyId: story.id, voiceId } }, { token: listener.token }),
      ),
    );
    const codes = answers.map(({ errors }) => errors[0]?.extensions.code ?? 'CHARGED').sort();
    expect(codes).toEqual(['CHARGED', 'INSUFFICIENT_CREDITS']);
  }
});

test('a paid narration stays with its listener when the story leaves the library', async () => {
  const [owner, stranger] = [await newListener(url), await newListener(url)];
  const content = 'There was a hen who kept a diary. It was a short one.';
  const { id: storyId } = await newStory(url, admin, { content });
  const { audioId } = await narrate(url, owner, storyId, voiceId);
  const asked = { storyId, voiceId };
  const withdraw = (): Promise<unknown> => {
    const story = { title: 'The Diary', author: 'A hen', language: 'en', content };
    const change = { id: storyId, input: { ...story, published: false } };
    return ask(url, UpdateStory, change, admin.token);
  };
  const remove = (): Promise<unknown> =>
    send(url, `mutation { deleteStory(id: "${storyId}") }`, {}, admin);
  for (const leave of [withdraw, remove]) {
    await leave();
    expect(await narrate(url, owner, storyId, voiceId)).toMatchObject({
      audioId,
      charged: false,
      balance: 9,
    });
    const { quoteAudio } = await ask(url, Quote, asked, owner.token);
    expect(quoteAudio.existing?.id).toBe(audioId);
    const refused = await execute(url, Narrate, { input: asked }, { token: stranger.token });
    expect(refused.errors[0]?.extensions.code).toBe('NOT_FOUND');
    expect(
      (await send(url, `{ story(id: "${storyId}") { id } }`, {}, owner)).errors[0],
    ).toMatchObject({ extensions: { code: 'NOT_FOUND' } });
  }
});
