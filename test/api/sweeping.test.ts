import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ask } from '../support/client.js';
import { until } from '../support/faults.js';
import { RunMaintenance } from '../support/operations.js';
import {
  administrator,
  englishVoice,
  narrate,
  newListener,
  newStory,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

const DAY_MS = 86_400_000;

let talebank: Talebank;
let admin: Person;

beforeAll(async () => {
  talebank = await startTalebank();
  admin = await administrator(talebank.url);
});
afterAll(() => talebank.close());

const key = (digits: string, ending: string): string => `${digits.repeat(64)}.${ending}`;

/** Puts a file where the store would, so many days old. */
async function leave(name: string, days: number): Promise<void> {
  const folder = join(talebank.dataDir, 'audio', name.slice(0, 2));
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), 'left behind');
  const then = new Date(Date.now() - days * DAY_MS);
  await utimes(join(folder, name), then, then);
}

async function files(): Promise<string[]> {
  const names = await readdir(join(talebank.dataDir, 'audio'), { recursive: true });
  return names.map((name) => name.split('/').at(-1) ?? '').filter((name) => name.includes('.'));
}

test('unreferenced files are deleted after a day, and files in use stay', async () => {
  const { url, dataDir, database } = talebank;
  const listener = await newListener(url);
  const story = await newStory(url, admin, { length: 300 });
  const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
  const audio = await waitForAudio(url, listener, audioId, ['READY']);
  // Sentences that have moved into the recording lose their own files a moment after it is READY.
  await until('the recording stands alone', async () => (await files()).length === 2);
  const needed = await files();
  const then = new Date(Date.now() - 400 * DAY_MS);
  for (const name of needed)
    await utimes(join(dataDir, 'audio', name.slice(0, 2), name), then, then);

  await leave(key('a', 'mp3'), 2);
  await leave(key('a', 'vtt'), 2);
  await leave(key('b', 'part'), 2);
  await leave(`${key('c', 'mp3')}.00000000-0000-4000-8000-000000000000.partial`, 2);
  // These are young, or a narration has a claim on them.
  await leave(key('d', 'mp3'), 0.5);
  await leave(key('e', 'part'), 0.5);
  await leave(`${key('f', 'mp3')}.00000000-0000-4000-8000-000000000000.partial`, 0.5);
  await leave(key('1', 'part'), 2);
  await leave(key('2', 'part'), 40);
  await leave(key('3', 'mp3'), 2);
  await database.sql(
    `INSERT INTO spoken_sentences (hash, leased_by, leased_until, key, offset_bytes, length_bytes, samples, sample_rate_hz)
     SELECT hash, gen_random_uuid(), now() - days * interval '1 day', hash || '.part', 0, 11, 576, 22050
     FROM (VALUES (repeat('1', 64), 2), (repeat('2', 64), 40)) AS left_over(hash, days)`,
  );
  await database.sql(
    `INSERT INTO spoken_sentences (hash, leased_by, leased_until) VALUES
     (repeat('4', 64), gen_random_uuid(), now() - interval '40 days'), (repeat('5', 64), gen_random_uuid(), now())`,
  );
  await database.sql(
    `INSERT INTO renditions (hash, duration_ms, length_bytes) VALUES (repeat('3', 64), 1, 11)`,
  );

  const { runMaintenance } = await ask(
    url,
    RunMaintenance,
    { task: 'PRUNE_SESSIONS' },
    admin.token,
  );
  expect(runMaintenance.changed).toBeGreaterThanOrEqual(5);
  expect((await files()).sort()).toEqual(
    [
      ...needed,
      key('d', 'mp3'),
      key('e', 'part'),
      `${key('f', 'mp3')}.00000000-0000-4000-8000-000000000000.partial`,
      key('1', 'part'),
      key('3', 'mp3'),
    ].sort(),
  );
  const left = await database.sql<{ digit: string }>(
    `SELECT left(hash, 1) AS digit FROM spoken_sentences WHERE hash ~ '^(.)\\1+$' ORDER BY 1`,
  );
  expect(left.map(({ digit }) => digit)).toEqual(['1', '5']);
  expect((await fetch(audio.url ?? '')).status).toBe(200);
});
