import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type * as Fitting from '../../src/services/narrations/resampling/fit-sentence.js';
import type * as Planning from '../../src/services/narrations/synthesis/plan.js';
import type * as Partial from '../../src/services/narrations/timeline/partial-timelines.js';
import type { NarratedRow } from '../../src/services/narrations/timeline/timeline.sql.js';
import { openTestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { compiled } from '../support/compiled.js';

/** The times of recordings whose times are not stored: they are planned again, a part at a time. */
const { growTimelines } = await compiled<typeof Partial>(
  'services/narrations/timeline/partial-timelines.js',
);
const { planSentences } = await compiled<typeof Planning>('services/narrations/synthesis/plan.js');
const { fittedHash } = await compiled<typeof Fitting>(
  'services/narrations/resampling/fit-sentence.js',
);

const RATE_HZ = 22_050;
const SAMPLES = 22_464;

let database: TestDatabase;
let app: OpenApp;
beforeAll(async () => {
  database = await createDatabase();
  app = await openTestApp(database);
});
afterAll(async () => {
  await app.close(1000);
  await database.drop();
});

let texts = 0;

/** A narration of so many sentences, none of which is spoken. */
async function narration(
  sentences: number,
): Promise<{ narrated: NarratedRow; hashes: readonly string[] }> {
  texts += 1;
  const textHash = String(texts).padStart(64, '0');
  const content = Array.from(
    { length: sentences },
    (_, index) => `Story ${String(texts)} has a line ${String(index)} here.`,
  ).join(' ');
  await database.sql(
    'INSERT INTO story_texts (hash, content, character_count) VALUES ($1, $2, $3)',
    [textHash, content, content.length],
  );
  const narrated: NarratedRow = {
    audioId: textHash,
    textHash,
    voiceId: 'espeak-en-us',
    characterCount: content.length,
    language: 'en',
    provider: app.speech.name,
    providerVoice: 'en-us',
    announcement: null,
  };
  const hashes = [...planSentences(app, { ...narrated, content })].map(({ hash }) => hash);
  expect(hashes).toHaveLength(sentences);
  return { narrated, hashes };
}

const speak = (hashes: readonly string[], rateHz = RATE_HZ, samples = SAMPLES): Promise<unknown> =>
  database.sql(
    `INSERT INTO spoken_sentences (hash, leased_by, leased_until, key, offset_bytes, length_bytes, samples, sample_rate_hz)
     SELECT hash, gen_random_uuid(), now(), hash || '.part', 0, 100, $2, $3 FROM unnest($1::text[]) AS hash`,
    [hashes, samples, rateHz],
  );

const grow = async (narrated: NarratedRow, count: number): Promise<Partial.Grown | undefined> =>
  (await growTimelines(app, [{ narrated, count }])).get(narrated.audioId);

test('a sentence that was spoken at another rate has the length that it has after resampling', async () => {
  const { narrated, hashes } = await narration(4);
  const [, , third = ''] = hashes;
  await speak(hashes.filter((hash) => hash !== third));
  await speak([third], 24_000, 24_192);
  // It is not resampled yet, so nothing is known of it and of those behind it.
  expect((await grow(narrated, 10))?.sentences).toHaveLength(2);
  await speak([fittedHash(third, RATE_HZ)], RATE_HZ, 2 * SAMPLES);
  const sentences = (await grow(narrated, 10))?.sentences ?? [];
  const lengths = sentences.map(({ startMs, endMs }) => endMs - startMs);
  const usual = (SAMPLES * 1000) / RATE_HZ;
  for (const [index, length] of [usual, usual, 2 * usual, usual].entries())
    expect(Math.abs((lengths[index] ?? 0) - length)).toBeLessThanOrEqual(1);
  expect(lengths).toHaveLength(4);
});

test('a recording whose first sentence has the other rate has the rate of that one', async () => {
  const { narrated, hashes } = await narration(3);
  const [first = '', second = '', third = ''] = hashes;
  await speak([first], 24_000, 24_192);
  await speak([second, third]);
  expect((await grow(narrated, 10))?.sentences).toHaveLength(1);
  await speak([fittedHash(second, 24_000), fittedHash(third, 24_000)], 24_000, 12_096);
  const sentences = (await grow(narrated, 10))?.sentences ?? [];
  expect(sentences.map(({ startMs, endMs }) => endMs - startMs)).toEqual([1008, 504, 504]);
});

test('the end of a long recording does not keep a short one waiting', async () => {
  const long = await narration(1200);
  const short = await narration(3);
  await speak(long.hashes);
  await speak(short.hashes);
  const order: string[] = [];
  const [ofLong, ofShort] = await Promise.all([
    grow(long.narrated, 1200).then((grown) => {
      order.push('long');
      return grown;
    }),
    grow(short.narrated, 3).then((grown) => {
      order.push('short');
      return grown;
    }),
  ]);
  expect(order).toEqual(['short', 'long']);
  expect([ofLong?.sentences.length, ofShort?.sentences.length]).toEqual([1200, 3]);
  // Two that want the same recording at once do not disturb each other.
  const other = await narration(600);
  await speak(other.hashes);
  const both = await Promise.all([grow(other.narrated, 600), grow(other.narrated, 300)]);
  for (const grown of both) {
    const indexes = grown?.sentences.map(({ index }) => index) ?? [];
    expect(indexes).toEqual(Array.from({ length: indexes.length }, (_, index) => index));
  }
  expect(both[0]?.sentences).toHaveLength(600);
});
