import { readdir, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { ask, execute, send } from '../support/client.js';
import { until } from '../support/faults.js';
import { CancelAudio, Narrate, UpdateStory } from '../support/operations.js';
import { tagLength } from '../support/mp3.js';
import {
  administrator,
  grantTo,
  narrate,
  newListener,
  newStory,
  waitForAudio,
  type Person,
} from '../support/people.js';
import {
  answerWith,
  startSpeechServer,
  toneFor,
  wavOf,
  type Misbehaviour,
  type SpeechServer,
} from '../support/speech-server.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

/** Text that is bought is bought once: proved by counting what the provider was asked for. */
let talebank: Talebank;
let provider: SpeechServer;
let url: string;
let admin: Person;
const VOICE = 'openai-alloy';
const OTHER_VOICE = 'openai-nova';

const PROVIDED = (): Record<string, string> => ({
  SPEECH_PROVIDER: 'openai',
  OPENAI_BASE_URL: provider.url,
  OPENAI_TTS_VOICES: 'alloy,nova',
  SYNTHESIS_RETRY_DELAY_SECONDS: '0',
  SYNTHESIS_RETRIES: '4',
  // What is held is not asked for again.
  SPEECH_TIMEOUT_SECONDS: '300',
});

beforeAll(async () => {
  provider = await startSpeechServer({ kind: 'openai' });
  talebank = await startTalebank(PROVIDED());
  url = talebank.url;
  admin = await administrator(url);
});
afterAll(async () => {
  await talebank.close();
  await provider.close();
});
beforeEach(() => {
  provider.behave('good');
  provider.requests.length = 0;
  provider.delayMs = 0;
});

let tales = 0;
/** This many sentences, none of which another story has. */
function sentences(count: number): string[] {
  tales += 1;
  return Array.from(
    { length: count },
    (_, index) => `Tale ${String(tales)} has a page ${String(index + 1)}, and a bird on it.`,
  );
}
const tell = (parts: readonly string[]): ReturnType<typeof newStory> =>
  newStory(url, admin, { content: parts.join(' ') });
const counts = (): Record<string, number> => Object.fromEntries(provider.countByText());
const once = (parts: readonly string[]): Record<string, number> =>
  Object.fromEntries(parts.map((part) => [part, 1]));

/** From now on the provider answers no more than so many requests, until what is returned is called. */
function hold(after: number): () => void {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const before = provider.requests.length;
  provider.behave(async (): Promise<Misbehaviour> => {
    if (provider.requests.length > before + after) await released;
    return 'good';
  });
  return release;
}

test('every sentence of a story is asked for once, also one that comes again', async () => {
  const person = await newListener(url);
  const parts = sentences(6);
  const story = await tell([...parts, ...parts.slice(0, 2)]);
  const { audioId } = await narrate(url, person, story.id, VOICE);
  const audio = await waitForAudio(url, person, audioId, ['READY']);
  expect(counts()).toEqual(once(parts));
  const captions = await (await fetch(audio.captionsUrl ?? '')).text();
  expect([...captions.matchAll(/-->/g)].length).toBe(8);
});

test('a second listener is charged, and nothing is asked for', async () => {
  const [ada, ben] = [await newListener(url), await newListener(url)];
  const parts = sentences(4);
  const story = await tell(parts);
  const first = await narrate(url, ada, story.id, VOICE);
  await waitForAudio(url, ada, first.audioId, ['READY']);
  const second = await narrate(url, ben, story.id, VOICE);
  expect(second).toMatchObject({ charged: true, balance: 9 });
  await waitForAudio(url, ben, second.audioId, ['READY']);
  expect(counts()).toEqual(once(parts));
});

test('another voice is another sound', async () => {
  const person = await newListener(url);
  const parts = sentences(2);
  const story = await tell(parts);
  for (const voice of [VOICE, OTHER_VOICE]) {
    const { audioId } = await narrate(url, person, story.id, voice);
    await waitForAudio(url, person, audioId, ['READY']);
  }
  expect([...provider.countByText().values()]).toEqual([2, 2]);
  expect(new Set(provider.requests.map(({ voice }) => voice))).toEqual(new Set(['alloy', 'nova']));
});

test('of a story that was edited, only what is new is asked for', async () => {
  const person = await newListener(url);
  const parts = sentences(8);
  const story = await tell(parts);
  const first = await narrate(url, person, story.id, VOICE);
  await waitForAudio(url, person, first.audioId, ['READY']);
  const [added = ''] = sentences(1);
  const edited = [...parts.slice(0, 3), added, ...parts.slice(4)];
  await ask(
    url,
    UpdateStory,
    {
      id: story.id,
      input: {
        title: 'Edited',
        author: 'Talebank',
        language: 'en',
        content: edited.join(' '),
        announced: false,
        published: true,
      },
    },
    admin.token,
  );
  const second = await narrate(url, person, story.id, VOICE);
  expect(second.audioId).not.toBe(first.audioId);
  const audio = await waitForAudio(url, person, second.audioId, ['READY']);
  expect(counts()).toEqual(once([...parts, added]));
  // And it is whole: a cue for each sentence, in order.
  const captions = await (await fetch(audio.captionsUrl ?? '')).text();
  expect(captions.split('\n').filter((line) => line.startsWith('Tale'))).toEqual(edited);
});

test('one sentence that fails now and then costs itself alone', async () => {
  const person = await newListener(url);
  const parts = sentences(10);
  let failures = 2;
  provider.behave(({ text }) => {
    if (text !== parts[4] || failures === 0) return 'good';
    failures -= 1;
    return 'reset before headers';
  });
  const story = await tell(parts);
  const { audioId } = await narrate(url, person, story.id, VOICE);
  await waitForAudio(url, person, audioId, ['READY']);
  expect(counts()).toEqual({ ...once(parts), [parts[4] ?? '']: 3 });
});

test('a provider that refuses for good costs nothing but the question', async () => {
  const person = await newListener(url);
  const parts = sentences(3);
  provider.behave(answerWith(400));
  const story = await tell(parts);
  const { audioId } = await narrate(url, person, story.id, VOICE);
  const audio = await waitForAudio(url, person, audioId, ['FAILED']);
  expect(audio).toMatchObject({ creditsCharged: 0, transactions: [{}, { type: 'REFUND' }] });
  // Those that were on their way when the first was refused.
  expect(Math.max(...provider.countByText().values())).toBe(1);
});

test('a narration that is cancelled and asked for again goes on where it was', async () => {
  const person = await newListener(url);
  const parts = sentences(30);
  const release = hold(8);
  const story = await tell(parts);
  const { audioId } = await narrate(url, person, story.id, VOICE);
  await until('some of it is spoken', () => provider.requests.length > 8);
  await ask(url, CancelAudio, { id: audioId }, person.token);
  // A worker looks whether it was stopped at most every 400 ms, when it has a sentence.
  provider.delayMs = 500;
  release();
  await until('nothing more is asked for', async () => {
    const before = provider.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 800));
    return provider.requests.length === before && provider.inHand() === 0;
  });
  expect(provider.requests.length).toBeLessThan(parts.length);
  provider.delayMs = 0;
  await narrate(url, person, story.id, VOICE);
  await waitForAudio(url, person, audioId, ['READY']);
  expect(counts()).toEqual(once(parts));
});

describe('a recording that is lost', () => {
  /** The sound, without the tag that is served in front of it. */
  const bytesAt = async (address: string | null): Promise<Buffer> => {
    const response = await fetch(address ?? '');
    expect(response.status).toBe(200);
    const bytes = Buffer.from(await response.arrayBuffer());
    return bytes.subarray(tagLength(bytes));
  };
  const fileAt = (address: string | null): string => {
    const key = new URL(address ?? '').pathname.split('/').at(-1) ?? '';
    return join(talebank.dataDir, 'audio', key.slice(0, 2), key);
  };

  /** Makes one, and takes one of its files away as a broken disk would. */
  async function lose(
    parts: readonly string[],
    file: 'url' | 'captionsUrl',
  ): Promise<{ person: Person; storyId: string; audioId: string; address: string }> {
    const person = await newListener(url);
    const { id: storyId } = await tell(parts);
    const { audioId } = await narrate(url, person, storyId, VOICE);
    const audio = await waitForAudio(url, person, audioId, ['READY']);
    const address = audio[file] ?? '';
    await rm(fileAt(address));
    expect((await fetch(address)).status).toBe(404);
    return { person, storyId, audioId, address };
  }

  const jobsOf = (audioId: string): Promise<object[]> =>
    talebank.database.sql(
      `SELECT FROM pgboss.job WHERE name = 'synthesize-audio' AND data->>'audioId' = $1`,
      [audioId],
    );

  test('is made anew for the next request', async () => {
    const parts = sentences(3);
    const { storyId, address } = await lose(parts, 'url');
    const ben = await newListener(url);
    const { audioId } = await narrate(url, ben, storyId, VOICE);
    const again = await waitForAudio(url, ben, audioId, ['READY']);
    expect((await fetch(again.url ?? '')).status).toBe(200);
    expect((await fetch(address)).status).toBe(200);
    expect([...provider.countByText().values()]).toEqual(parts.map(() => 2));
  });

  test.each(['url', 'captionsUrl'] as const)(
    'is made once more for its owner, without a charge and by one job however often it is asked for: %s',
    async (file) => {
      const { person, storyId, audioId, address } = await lose(sentences(3), file);
      const asked = await Promise.all(
        Array.from({ length: 8 }, () => narrate(url, person, storyId, VOICE)),
      );
      for (const answer of asked)
        expect(answer).toMatchObject({ audioId, charged: false, balance: 9 });
      const audio = await waitForAudio(url, person, audioId, ['READY']);
      expect(audio.transactions.map(({ type }) => type)).toEqual(['DEBIT']);
      expect((await fetch(address)).status).toBe(200);
      expect(await jobsOf(audioId)).toHaveLength(2);
      // There again, it is left alone.
      await narrate(url, person, storyId, VOICE);
      expect(await jobsOf(audioId)).toHaveLength(2);
    },
  );

  test('is made once more also for who asks with the key that paid for it', async () => {
    const person = await newListener(url);
    const { id: storyId } = await tell(sentences(2));
    const input = { storyId, voiceId: VOICE, idempotencyKey: 'once' };
    const asked = await ask(url, Narrate, { input }, person.token);
    const { id: audioId } = asked.synthesizeAudio.audio;
    const audio = await waitForAudio(url, person, audioId, ['READY']);
    await rm(fileAt(audio.url));
    const again = await ask(url, Narrate, { input }, person.token);
    expect(again.synthesizeAudio.charge).toEqual(asked.synthesizeAudio.charge);
    await waitForAudio(url, person, audioId, ['READY']);
    expect((await fetch(audio.url ?? '')).status).toBe(200);
  });

  test('is not given back while it is made once more, for it could be heard', async () => {
    const { person, storyId, audioId } = await lose(sentences(3), 'url');
    const release = hold(0);
    await narrate(url, person, storyId, VOICE);
    const cancelled = await execute(url, CancelAudio, { id: audioId }, { token: person.token });
    expect(cancelled.errors[0]).toMatchObject({
      message: expect.stringContaining('was lost'),
      extensions: { code: 'CONFLICT' },
    });
    release();
    const audio = await waitForAudio(url, person, audioId, ['READY']);
    expect(audio.transactions.map(({ type }) => type)).toEqual(['DEBIT']);
  });

  test('is told as ready once, and as failed when it cannot be made once more', async () => {
    const { person, storyId, audioId } = await lose(sentences(3), 'url');
    const told = async (): Promise<unknown[]> => {
      const { data } = await send<{ me: { notices: { nodes: { kind: string }[] } } }>(
        url,
        '{ me { notices(first: 10) { nodes { kind } } } }',
        {},
        { token: person.token },
      );
      return data?.me.notices.nodes.map(({ kind }) => kind) ?? [];
    };
    await narrate(url, person, storyId, VOICE);
    const audio = await waitForAudio(url, person, audioId, ['READY']);
    expect(await told()).toEqual(['NARRATION_READY']);
    await rm(fileAt(audio.url));
    provider.behave(answerWith(400));
    await narrate(url, person, storyId, VOICE);
    await waitForAudio(url, person, audioId, ['FAILED']);
    expect(await told()).toEqual(['NARRATION_FAILED', 'NARRATION_READY']);
  });

  test('also when a part of it is', async () => {
    const person = await newListener(url);
    const { id: storyId } = await tell(sentences(3));
    const { audioId } = await narrate(url, person, storyId, VOICE);
    const { url: address } = await waitForAudio(url, person, audioId, ['READY']);
    const whole = await bytesAt(address);
    await truncate(fileAt(address), 100);
    await narrate(url, person, storyId, VOICE);
    await waitForAudio(url, person, audioId, ['READY']);
    expect(await bytesAt(address)).toEqual(whole);
  });

  test('with all that stood in it is made by the first try, however many files are lost', async () => {
    const person = await newListener(url);
    const parts = sentences(14);
    const addresses: (string | null)[] = [];
    let last = { storyId: '', audioId: '' };
    for (let chapter = 1; chapter <= 7; chapter += 1) {
      const { id: storyId } = await tell(parts.slice(0, 2 * chapter));
      const { audioId } = await narrate(url, person, storyId, VOICE);
      addresses.push((await waitForAudio(url, person, audioId, ['READY'])).url);
      last = { storyId, audioId };
    }
    for (const address of addresses) await rm(fileAt(address));
    provider.requests.length = 0;
    await narrate(url, person, last.storyId, VOICE);
    await waitForAudio(url, person, last.audioId, ['READY']);
    expect(counts()).toEqual(once(parts));
    const tries = await talebank.database.sql(
      `SELECT retry_count FROM pgboss.job WHERE name = 'synthesize-audio' AND data->>'audioId' = $1`,
      [last.audioId],
    );
    expect(tries).toEqual([{ retry_count: 0 }, { retry_count: 0 }]);
  });

  test('and sounds otherwise when it is made once more leaves no other recording wrong', async () => {
    const person = await newListener(url);
    const [shared, own] = [sentences(2), sentences(2)];
    const record = async (
      parts: readonly string[],
    ): Promise<[string, string | null, string | null]> => {
      const { id: storyId } = await tell(parts);
      const { audioId } = await narrate(url, person, storyId, VOICE);
      const audio = await waitForAudio(url, person, audioId, ['READY']);
      return [storyId, audio.url, audio.captionsUrl];
    };
    const [, first] = await record(shared);
    const [storyId, second, captions] = await record([...shared, ...own]);
    const { length: before } = await bytesAt(first);
    const sound = (await bytesAt(second)).subarray(before);
    await rm(fileAt(first));
    await rm(fileAt(captions));
    // What is bought anew takes longer to say than it did.
    provider.behave(({ text }, response) => {
      response.writeHead(200, { 'content-type': 'audio/wav' }).end(wavOf(toneFor(text + text)));
      return undefined;
    });
    const { audioId } = await narrate(url, person, storyId, VOICE);
    await waitForAudio(url, person, audioId, ['READY']);
    const again = await bytesAt(second);
    expect(again.subarray(-sound.length)).toEqual(sound);
    expect(again.length).toBeGreaterThan(before + sound.length);
    // Whatever is made of its sentences from now on finds them where they are.
    const [, third] = await record(own);
    const alone = await bytesAt(third);
    expect(alone).toEqual(sound.subarray(-alone.length));
    // The rest is the pause after the shared sentences.
    expect(alone.length).toBeGreaterThan(sound.length / 2);
  });

  test('and cannot be made any more is given back', async () => {
    const { person, storyId, audioId } = await lose(sentences(3), 'url');
    provider.behave(answerWith(400));
    expect(await narrate(url, person, storyId, VOICE)).toMatchObject({ charged: false });
    const audio = await waitForAudio(url, person, audioId, ['FAILED']);
    expect(audio.transactions.map(({ type }) => type)).toEqual(['DEBIT', 'REFUND']);
    // As with any other that has ended: there is nothing to stop, and it is told what came back.
    const { cancelAudio } = await ask(url, CancelAudio, { id: audioId }, person.token);
    expect(cancelAudio.audio.status).toBe('FAILED');
    provider.behave('good');
    expect(await narrate(url, person, storyId, VOICE)).toMatchObject({ charged: true, balance: 9 });
    await waitForAudio(url, person, audioId, ['READY']);
  });
});

test('what is in a recording has no file of its own any more', async () => {
  const person = await newListener(url);
  const story = await tell(sentences(3));
  const { audioId } = await narrate(url, person, story.id, VOICE);
  await waitForAudio(url, person, audioId, ['READY']);
  const files = (): Promise<string[]> =>
    readdir(join(talebank.dataDir, 'audio'), { recursive: true });
  expect((await files()).filter((name) => name.endsWith('.mp3'))).not.toEqual([]);
  await until('all is put away', async () =>
    (await files()).every((name) => !name.endsWith('.part')),
  );
});

test('a worker that is told to stop finishes what it has begun, and buys nothing twice', async () => {
  const other = await startTalebank({ ...PROVIDED(), ROLE: 'api' });
  try {
    const leaving = await other.join({ ROLE: 'worker' });
    const librarian = await administrator(other.url);
    const person = await newListener(other.url);
    const parts = sentences(60);
    provider.delayMs = 100;
    const story = await newStory(other.url, librarian, { content: parts.join(' ') });
    await grantTo(other.url, librarian, person, { amount: 50 });
    const { audioId } = await narrate(other.url, person, story.id, VOICE);
    await until('it is under way', () => provider.requests.length > 5);
    await leaving.stop();
    expect(await waitForAudio(other.url, person, audioId, ['READY'])).toMatchObject({
      progress: 1,
    });
    expect(counts()).toEqual(once(parts));
  } finally {
    await other.close();
  }
});

describe('with two workers', () => {
  let second: ServerProcess;
  beforeAll(async () => {
    second = await talebank.join({ ROLE: 'worker' });
  });
  afterAll(() => second.stop());

  test('the same words, asked for by many at once, are asked for once', async () => {
    const people = await Promise.all(Array.from({ length: 6 }, () => newListener(url)));
    const parts = sentences(24);
    provider.delayMs = 40;
    const story = await tell(parts);
    const asked = await Promise.all(
      people.map(async (person) => ({
        person,
        ...(await narrate(url, person, story.id, VOICE)),
      })),
    );
    for (const { person, audioId, charged } of asked) {
      expect(charged).toBe(true);
      await waitForAudio(url, person, audioId, ['READY']);
    }
    expect(counts()).toEqual(once(parts));
  });

  test('different stories that share sentences share them also while they are made', async () => {
    const people = await Promise.all(Array.from({ length: 4 }, () => newListener(url)));
    const shared = sentences(12);
    const own = people.map(() => sentences(3));
    provider.delayMs = 40;
    const stories = await Promise.all(own.map((parts) => tell([...shared, ...parts])));
    const asked = await Promise.all(
      people.map(async (person, index) => ({
        person,
        ...(await narrate(url, person, stories[index]?.id ?? '', VOICE)),
      })),
    );
    for (const { person, audioId } of asked) await waitForAudio(url, person, audioId, ['READY']);
    expect(counts()).toEqual(once([...shared, ...own.flat()]));
  });
});
