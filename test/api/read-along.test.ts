import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { ask, send } from '../support/client.js';
import { until } from '../support/faults.js';
import type { StoryInput } from '../support/generated/graphql.js';
import { UpdateStory } from '../support/operations.js';
import {
  administrator,
  grantTo,
  narrate,
  newListener,
  newStory,
  textOf,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { decodeMp3, readCues, silencesIn, type TimedCue } from '../support/sound.js';
import { startSpeechServer, timedAnswer, type SpeechServer } from '../support/speech-server.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

interface Sentence {
  index: number;
  from: number;
  to: number;
  startMs: number;
  endMs: number;
  words: { from: number; to: number; startMs: number }[];
}

interface ReadAlong {
  status: string;
  content: string;
  expectedSeconds: number | null;
  durationSeconds: number | null;
  url: string | null;
  captionsUrl: string | null;
  sentences: Sentence[];
}

let server: SpeechServer;
let talebank: Talebank;
let url: string;
let admin: Person;
let listener: Person;
let voiceId: string;
/** Lets the server speak on. */
let release: () => void = () => undefined;

beforeAll(async () => {
  server = await startSpeechServer({ kind: 'elevenlabs' });
  talebank = await startTalebank({
    SPEECH_PROVIDER: 'elevenlabs',
    ELEVENLABS_API_KEY: 'key',
    ELEVENLABS_BASE_URL: server.url,
    ELEVENLABS_CONCURRENCY: '4',
  });
  url = talebank.url;
  admin = await administrator(url);
  listener = await newListener(url);
  await grantTo(url, admin, listener, { amount: 1_000 });
  const { data } = await send<{ voices: { id: string; name: string }[] }>(
    url,
    '{ voices { id name } }',
  );
  voiceId = data?.voices.find(({ name }) => name === 'Anna')?.id ?? '';
});
afterEach(() => {
  release();
  server.behave('good');
});
afterAll(async () => {
  await talebank.close();
  await server.close();
});

async function readAlong(id: string, after?: number): Promise<ReadAlong> {
  const { data, errors } = await send<{ audio: ReadAlong }>(
    url,
    `query ($id: ID!, $after: Int) { audio(id: $id) {
      status content expectedSeconds durationSeconds url captionsUrl
      sentences(after: $after) { index from to startMs endMs words { from to startMs } } } }`,
    after === undefined ? { id } : { id, after },
    { token: listener.token },
  );
  expect(errors).toEqual([]);
  if (data === null) throw new Error('There is no answer.');
  return data.audio;
}

async function begin(
  content: string,
  input: Partial<StoryInput> = {},
): Promise<{ id: string; storyId: string }> {
  const { id: storyId } = await newStory(url, admin, { content, ...input });
  const { audioId: id } = await narrate(url, listener, storyId, voiceId);
  return { id, storyId };
}

async function record(
  content: string,
  input: Partial<StoryInput> = {},
): Promise<ReadAlong & { id: string; storyId: string }> {
  const { id, storyId } = await begin(content, input);
  await waitForAudio(url, listener, id, ['READY']);
  return { id, storyId, ...(await readAlong(id)) };
}

const cuesOf = async ({ captionsUrl }: ReadAlong): Promise<TimedCue[]> =>
  readCues(await (await fetch(captionsUrl ?? '')).text());

/** The server waits with texts that have this word. */
function hold(word: string): void {
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  server.behave(async ({ text }) => {
    if (text.includes(word)) await gate;
    return 'good' as const;
  });
}

test('sentences have their places in the text, and the times of their captions and of the sound', async () => {
  const marked =
    '  The Owl 🦉\n\n“It  is\nlate”,  she *said*.   Then <b>nothing</b> moved…\n\n* * *\n\n<br>\n\nThe end.';
  const recording = await record(marked);
  const { content, sentences } = recording;
  const cues = await cuesOf(recording);
  expect(sentences.map(({ from, to }) => content.slice(from, to))).toEqual([
    'The Owl 🦉',
    '“It  is\nlate”,  she *said*.',
    'Then <b>nothing</b> moved…',
    'The end.',
  ]);
  expect(sentences.map(({ startMs, endMs }) => [startMs, endMs])).toEqual(
    cues.map(({ startMs, endMs }) => [startMs, endMs]),
  );
  expect(sentences.map(({ index }) => index)).toEqual([0, 1, 2, 3]);
  const sound = await decodeMp3(
    new Uint8Array(await (await fetch(recording.url ?? '')).arrayBuffer()),
  );
  const soundMs = (sound.samples.length * 1000) / sound.sampleRateHz;
  expect(Math.abs(soundMs - (sentences.at(-1)?.endMs ?? 0))).toBeLessThan(1);
  expect(recording.expectedSeconds).toBe(recording.durationSeconds);
});

test('sentences that are spoken are listed while others are being made, with the times that they keep', async () => {
  hold('Gate');
  const { id } = await begin('One fox came. Two foxes went. The Gate was shut. Four owls sang.');
  await until('two sentences are listed', async () => (await readAlong(id)).sentences.length === 2);
  await until('the sentence behind the missing one is spoken', () =>
    server.requests.some(({ text, answered }) => text === 'Four owls sang.' && answered),
  );
  const early = await readAlong(id);
  expect(early.sentences).toHaveLength(2);
  release();
  const { durationSeconds } = await waitForAudio(url, listener, id, ['READY']);
  const { sentences } = await readAlong(id);
  expect(sentences).toHaveLength(4);
  expect(sentences.slice(0, 2)).toEqual(early.sentences);
  // The server speaks 15 characters a second, so half of the text says much about the rest.
  expect(Math.abs((early.expectedSeconds ?? 0) / (durationSeconds ?? 1) - 1)).toBeLessThan(0.5);
});

const RATE_HZ = 24_000;
const LEAD_SECONDS = 0.7;
const WORD_SECONDS = 0.5;

/** Silence, and then each word as a tone of 0.3 s with 0.2 s of silence behind it. */
function tones(text: string): Buffer {
  const words = [...text.matchAll(/\S+/gu)].map(({ index }) => index);
  const pcm = new Int16Array(Math.round((LEAD_SECONDS + words.length * WORD_SECONDS) * RATE_HZ));
  for (const word of words.keys()) {
    const start = Math.round((LEAD_SECONDS + word * WORD_SECONDS) * RATE_HZ);
    for (let at = 0; at < 0.3 * RATE_HZ; at += 1)
      pcm[start + at] = Math.round(9000 * Math.sin((2 * Math.PI * 440 * at) / RATE_HZ));
  }
  return timedAnswer(text, pcm, (index) => {
    const word = words.findLastIndex((start) => start <= index);
    return LEAD_SECONDS + word * WORD_SECONDS + (text[index] === ' ' ? 0.35 : 0);
  });
}

test('words are heard when the API and the captions say, and stand where they are stored', async () => {
  server.behave(({ text }, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(tones(text));
    return undefined;
  });
  const recording = await record('The  owl\nsaid “*no*” $500 times.\n\nIt <b>slept</b> then.');
  const { content, sentences } = recording;
  const words = sentences.flatMap((sentence) => sentence.words);
  expect(words.map(({ from, to }) => content.slice(from, to))).toEqual([
    'The',
    'owl',
    'said',
    'no',
    '$500',
    'times',
    'It',
    'slept',
    'then',
  ]);
  const mp3 = new Uint8Array(await (await fetch(recording.url ?? '')).arrayBuffer());
  const onsets = silencesIn(await decodeMp3(mp3)).map(([, end]) => end);
  // “$500” is three words.
  expect(onsets.length).toBeGreaterThanOrEqual(11);
  const heard = onsets.slice(0, 11).filter((_, index) => index !== 5 && index !== 6);
  for (const [index, { startMs }] of words.entries())
    expect([index, Math.abs(startMs - (heard[index] ?? 0)) < 30]).toEqual([index, true]);
  const vtt = await (await fetch(recording.captionsUrl ?? '')).text();
  const stamp = (index: number): string =>
    new Date(words[index]?.startMs ?? 0).toISOString().slice(11, 23);
  expect(vtt).toContain(
    `The <${stamp(1)}>owl <${stamp(2)}>said “*<${stamp(3)}>no*” <${stamp(4)}>$500 <${stamp(5)}>times.`,
  );
  // They are planned again as they were stored.
  await talebank.database.sql(
    `DELETE FROM rendition_timelines WHERE rendition_hash = (SELECT rendition_hash FROM audios WHERE id = '${recording.id}')`,
  );
  expect((await readAlong(recording.id)).sentences).toEqual(sentences);
});

test('a sentence without times of words is spoken all the same', async () => {
  server.behave(({ text }, response) => {
    const { audio_base64 } = JSON.parse(
      timedAnswer(text, new Int16Array(24_000).fill(900)).toString(),
    ) as {
      audio_base64: string;
    };
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ audio_base64, alignment: { characters: 'no list' } }));
    return undefined;
  });
  const { sentences } = await record('A toad had no clock.');
  expect(sentences.map(({ words }) => words)).toEqual([[]]);
});

describe('a story that is announced', () => {
  const input = { title: 'The Ghost of *Moon* Hill', author: 'Ann Other', announced: true };
  const titles = (recording: readonly TimedCue[]): string[] => recording.map(({ text }) => text);

  test('begins with its title and author, which are no sentences of its text', async () => {
    const recording = await record('It was dark there.\n\nThe moon hid.', input);
    const { content, sentences, id } = recording;
    const cues = await cuesOf(recording);
    expect(titles(cues)).toEqual([
      'The Ghost of *Moon* Hill',
      'by Ann Other',
      'It was dark there.',
      'The moon hid.',
    ]);
    expect(sentences.map(({ index, from, to }) => [index, content.slice(from, to)])).toEqual([
      [0, 'It was dark there.'],
      [1, 'The moon hid.'],
    ]);
    expect(sentences.map(({ startMs }) => startMs)).toEqual(
      cues.slice(2).map(({ startMs }) => startMs),
    );
    expect(cues[0]?.startMs).toBe(0);
    // As long as behind a heading, without what a decoder and the margins add.
    expect((cues[2]?.startMs ?? 0) - (cues[1]?.endMs ?? 0)).toBeGreaterThan(900);
    expect(server.countByText().get('The Ghost of Moon Hill')).toBe(1);
    await talebank.database.sql(
      `DELETE FROM rendition_timelines WHERE rendition_hash = (SELECT rendition_hash FROM audios WHERE id = '${id}')`,
    );
    expect((await readAlong(id)).sentences).toEqual(sentences);
  });

  test('keeps recordings without it, which are not paid for again, and their sentences', async () => {
    const title = 'The Quiet Mill';
    const content = 'The mill stood still. The river had no water.';
    const { id, storyId, durationSeconds } = await record(content, {
      ...input,
      title,
      announced: false,
    });
    const story = { title, author: 'Ann Other', language: 'en', content, published: true };
    // It is on by default.
    await ask(url, UpdateStory, { id: storyId, input: story }, admin.token);
    const again = await narrate(url, listener, storyId, voiceId);
    expect([again.audioId, again.charged]).toEqual([id, false]);
    expect((await readAlong(id)).durationSeconds).toBe(durationSeconds);
    const other = await newListener(url);
    const { audioId, charged } = await narrate(url, other, storyId, voiceId);
    const audio = await waitForAudio(url, other, audioId, ['READY']);
    expect(charged).toBe(true);
    expect(audio.durationSeconds).toBeGreaterThan(durationSeconds ?? Infinity);
    expect(server.countByText().get('The mill stood still.')).toBe(1);
    expect(server.countByText().get(title)).toBe(1);
  });

  test.each([
    [
      'is announced once when the text begins with its title',
      'THE OWL',
      '# The Owl\n\nIt slept.',
      ['# The Owl', 'It slept.'],
    ],
    [
      'is announced by what can be read of it',
      '🦉 ***',
      'It slept long.',
      ['by Ann Other', 'It slept long.'],
    ],
    [
      'is not announced in letters that its language does not have',
      'Сова',
      'It slept late.',
      ['by Ann Other', 'It slept late.'],
    ],
  ])('%s', async (_name, title, content, shown) => {
    expect(titles(await cuesOf(await record(content, { ...input, title })))).toEqual(shown);
  });

  test('names the author in the words of its language', async () => {
    const recording = await record('Sowa spała.', { ...input, title: 'Sowa', language: 'pl' });
    expect(titles(await cuesOf(recording))).toEqual(['Sowa', 'Autor: Ann Other', 'Sowa spała.']);
  });
});

test('a recording of an earlier release has the same sentences, also after that release has made it again', async () => {
  const { id, sentences } = await record('A hare ran home. It had seen a ghost.');
  expect(sentences).toHaveLength(2);
  const ofThis = `rendition_hash = (SELECT rendition_hash FROM audios WHERE id = '${id}')`;
  await talebank.database.sql(
    `UPDATE rendition_timelines SET duration_ms = duration_ms + 1, sentences = '{}' WHERE ${ofThis}`,
  );
  expect((await readAlong(id)).sentences).toEqual(sentences);
  await talebank.database.sql(`DELETE FROM rendition_timelines WHERE ${ofThis}`);
  expect((await readAlong(id)).sentences).toEqual(sentences);
  expect((await readAlong(id, 0)).sentences).toEqual(sentences.slice(1));
});

test('a long recording is listed in parts, without a gap, as it is stored and as it is planned', async () => {
  const { id, sentences } = await record(
    Array.from({ length: 540 }, (_, at) => `Go ${String(at)}.`).join('\n'),
  );
  const listed = async (): Promise<Sentence[]> => {
    const all: Sentence[] = [];
    for (;;) {
      const part = (await readAlong(id, all.length - 1)).sentences;
      expect(part.length).toBeLessThanOrEqual(250);
      if (part.length === 0) return all;
      all.push(...part);
    }
  };
  const stored = await listed();
  expect(stored.length).toBeGreaterThan(500);
  expect(stored.map(({ index }) => index)).toEqual(stored.map((_, at) => at));
  expect(stored.slice(0, sentences.length)).toEqual(sentences);
  await talebank.database.sql(
    `DELETE FROM rendition_timelines WHERE rendition_hash = (SELECT rendition_hash FROM audios WHERE id = '${id}')`,
  );
  expect(await listed()).toEqual(stored);
});

test('what is expected follows the newest recordings of a voice', async () => {
  const { storyId, durationSeconds } = await record(textOf(600));
  const { data } = await send<{ story: { usual: number; voice: number; unknown: number } }>(
    url,
    `query ($id: ID!, $voice: ID!) { story(id: $id) {
      usual: expectedSeconds voice: expectedSeconds(voiceId: $voice) unknown: expectedSeconds(voiceId: "a\\u0000b") } }`,
    { id: storyId, voice: voiceId },
  );
  const { usual = 0, voice = 0, unknown = 0 } = data?.story ?? {};
  expect(Math.abs(voice / (durationSeconds ?? 0) - 1)).toBeLessThan(0.25);
  expect(usual).toBeGreaterThan(0);
  expect(unknown).toBe(usual);
});

test('a narration that was cancelled has no sentences, and nothing is expected', async () => {
  hold('Gate');
  const { id } = await begin('A mouse sat there. The Gate was shut again.');
  await until('a sentence is listed', async () => (await readAlong(id)).sentences.length === 1);
  await send(
    url,
    'mutation ($id: ID!) { cancelAudio(id: $id) { balance } }',
    { id },
    {
      token: listener.token,
    },
  );
  const { status, sentences, expectedSeconds } = await readAlong(id);
  expect([status, sentences, expectedSeconds]).toEqual(['CANCELLED', [], null]);
});

test.each([-2, 1_000_001])('after %p is refused', async (after) => {
  const { id } = await record('A snail was late.');
  const { errors } = await send(
    url,
    `{ audio(id: "${id}") { sentences(after: ${String(after)}) { index } } }`,
    {},
    { token: listener.token },
  );
  expect(errors[0]?.extensions).toMatchObject({ code: 'BAD_USER_INPUT', field: 'after' });
});

test('the sentences of a page of narrations are bounded before they are read', async () => {
  const { errors } = await send(
    url,
    '{ me { audio(first: 50) { nodes { sentences { index } } } } }',
    {},
    { token: listener.token },
  );
  expect(errors[0]?.extensions.code).toBe('QUERY_TOO_COMPLEX');
});
