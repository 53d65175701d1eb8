import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { send } from '../support/client.js';
import { loudnessOf } from '../../src/domain/sound/loudness.js';
import {
  administrator,
  englishVoice,
  narrate,
  newListener,
  newStory,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { decodeMp3, readCues, silencesIn, type Sound, type TimedCue } from '../support/sound.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let admin: Person;
let listener: Person;

beforeAll(async () => {
  talebank = await startTalebank();
  url = talebank.url;
  admin = await administrator(url);
  listener = await newListener(url);
});
afterAll(() => talebank.close());

interface Recording {
  readonly sound: Sound;
  readonly cues: readonly TimedCue[];
  readonly durationMs: number;
}

async function record(content: string, voiceId: string): Promise<Recording> {
  const { id } = await newStory(url, admin, { content });
  const { audioId } = await narrate(url, listener, id, voiceId);
  const audio = await waitForAudio(url, listener, audioId, ['READY']);
  const [mp3, vtt] = await Promise.all(
    [audio.url, audio.captionsUrl].map(async (address) =>
      (await fetch(address ?? '')).arrayBuffer(),
    ),
  );
  return {
    sound: await decodeMp3(new Uint8Array(mp3 ?? new ArrayBuffer())),
    cues: readCues(Buffer.from(vtt ?? new ArrayBuffer()).toString()),
    durationMs: (audio.durationSeconds ?? 0) * 1000,
  };
}

/** The silence in which the cue with this text begins. */
function silenceBefore({ sound, cues }: Recording, text: string): number {
  const cue = cues.find((one) => one.text === text);
  const [start, end] = silencesIn(sound).find(
    ([start, end]) => start <= (cue?.startMs ?? NaN) && end > (cue?.startMs ?? NaN),
  ) ?? [0, 0];
  return end - start;
}

const STORY = [
  'The Owl',
  'The owl sat in the old tree, and the moon was up. It was cold.',
  'A fox came by.',
  '* * *',
  'In the morning the owl slept.',
  'Down came the rain\nOver the plain',
].join('\n\n');

test('what is silent between sentences is as long as what separates them', async () => {
  const recording = await record(STORY, await englishVoice(url));
  const { sound, cues, durationMs } = recording;
  expect(cues.map(({ text }) => text)).toEqual([
    'The Owl',
    'The owl sat in the old tree, and the moon was up.',
    'It was cold.',
    'A fox came by.',
    'In the morning the owl slept.',
    'Down came the rain',
    'Over the plain',
  ]);
  const withComma = cues[1];
  const inside = silencesIn(sound)
    .filter(
      ([start, end]) =>
        start > (withComma?.startMs ?? 0) + 100 && end < (withComma?.endMs ?? 0) - 60,
    )
    .map(([start, end]) => end - start);
  const comma = Math.max(...inside);
  const between = {
    heading: silenceBefore(recording, 'The owl sat in the old tree, and the moon was up.'),
    sentence: silenceBefore(recording, 'It was cold.') - comma,
    paragraph: silenceBefore(recording, 'A fox came by.'),
    scene: silenceBefore(recording, 'In the morning the owl slept.'),
    line: silenceBefore(recording, 'Over the plain'),
  };
  expect(comma).toBeGreaterThan(100);
  const inRange = (ms: number, least: number, most: number): boolean => ms >= least && ms <= most;
  expect([between, comma, inRange(between.sentence, 350, 500)]).toEqual([between, comma, true]);
  expect([between, inRange(between.paragraph, 700, 900)]).toEqual([between, true]);
  expect([between, inRange(between.heading, 900, 1200)]).toEqual([between, true]);
  expect([between, inRange(between.scene, 1500, 2000)]).toEqual([between, true]);
  expect([between, inRange(between.line, 250, 500)]).toEqual([between, true]);
  // Captions, the length that the API tells, and the sound agree.
  const soundMs = (sound.samples.length * 1000) / sound.sampleRateHz;
  expect(Math.abs(soundMs - durationMs)).toBeLessThan(1);
  expect(cues.at(-1)?.endMs).toBe(Math.round(durationMs));
  expect(cues[0]?.startMs).toBe(0);
  // A cue begins when its first frame does. The voice begins less than 100 ms later, because a decoder is late.
  for (const { startMs } of cues) {
    const end = silencesIn(sound).find(([start, end]) => start <= startMs && end > startMs)?.[1];
    expect(end).toBeLessThan(startMs + 100);
  }
  expect(Math.abs(loudnessOf(pcmOf(sound), sound.sampleRateHz) + 19)).toBeLessThan(1);
});

const pcmOf = ({ samples }: Sound): Int16Array =>
  Int16Array.from(samples, (value) => Math.round(value * 32_767));

test('the engine says when words are heard, in the recording and in its captions', async () => {
  const content =
    'Up, down, left, and right it went.\n\nAt home, Tom & “Ann” had 12 cakes, in the kitchen.';
  const { id } = await newStory(url, admin, { content });
  const { audioId } = await narrate(url, listener, id, await englishVoice(url));
  const audio = await waitForAudio(url, listener, audioId, ['READY']);
  const { data } = await send<{
    audio: { sentences: { words: { from: number; to: number; startMs: number }[] }[] };
  }>(
    url,
    `{ audio(id: "${audioId}") { sentences { words { from to startMs } } } }`,
    {},
    { token: listener.token },
  );
  const words = (data?.audio.sentences ?? []).flatMap((sentence) => sentence.words);
  const said = words.map(({ from, to }) => content.slice(from, to));
  // The engine runs a few small words together, and gives them one time.
  const all = [...content.matchAll(/[\p{L}\p{N}&]+/gu)].map(([word]) => word);
  expect(said.length).toBeGreaterThan(all.length * 0.8);
  expect(all.filter((word) => said.includes(word))).toEqual(said);
  const sound = await decodeMp3(new Uint8Array(await (await fetch(audio.url ?? '')).arrayBuffer()));
  const onsets = silencesIn(sound).map(([, end]) => end);
  for (const word of ['Up', 'left', 'and', 'At', 'Tom']) {
    const startMs = words[said.indexOf(word)]?.startMs ?? 0;
    const away = Math.min(...onsets.map((onset) => Math.abs(onset - startMs)));
    expect([word, away < 80]).toEqual([word, true]);
  }
  const vtt = await (await fetch(audio.captionsUrl ?? '')).text();
  expect(vtt).toMatch(/\nUp, <00:00:00\.\d{3}>down, <00:00:0\d\.\d{3}>left,/);
});

test('a pause belongs to the boundary: sentences are found again wherever they stand', async () => {
  const voiceId = await englishVoice(url);
  await record('The mole dug. The hare ran. The wolf slept.', voiceId);
  const spoken = (): Promise<object[]> =>
    talebank.database.sql('SELECT hash FROM spoken_sentences');
  const before = await spoken();
  const apart = await record('The wolf slept.\n\nThe mole dug.\n\n***\n\nThe hare ran.', voiceId);
  expect(await spoken()).toHaveLength(before.length);
  expect(silenceBefore(apart, 'The hare ran.')).toBeGreaterThan(1500);
});
