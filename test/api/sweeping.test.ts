import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ask } from '../support/client.js';
import { until } from '../support/faults.js';
import { RunMaintenance, VoiceSamples } from '../support/operations.js';
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
  await age(name, days);
}

const age = (name: string, days: number): Promise<void> => {
  const then = new Date(Date.now() - days * DAY_MS);
  return utimes(join(talebank.dataDir, 'audio', name.slice(0, 2), name), then, then);
};

const prune = (): Promise<{ runMaintenance: { changed: number } }> =>
  ask(talebank.url, RunMaintenance, { task: 'PRUNE_SESSIONS' }, admin.token);

async function files(): Promise<string[]> {
  const names = await readdir(join(talebank.dataDir, 'audio'), { recursive: true });
  return names.map((name) => name.split('/').at(-1) ?? '').filter((name) => name.includes('.'));
}

test('unreferenced files are deleted after a day, and files in use stay', async () => {
  const { url, database } = talebank;
  const listener = await newListener(url);
  const story = await newStory(url, admin, { length: 300 });
  const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
  const audio = await waitForAudio(url, listener, audioId, ['READY']);
  const [row] = await database.sql<{ hash: string }>(
    'SELECT rendition_hash AS hash FROM audios WHERE id = $1',
    [audioId],
  );
  const needed = ['mp3', 'vtt'].map((ending) => `${row?.hash ?? ''}.${ending}`);
  for (const name of needed) await age(name, 400);

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

  const { runMaintenance } = await prune();
  expect(runMaintenance.changed).toBeGreaterThanOrEqual(5);
  // Tests of this file share a server, so only the files of this one are compared.
  const own = (await files()).filter(
    (name) => needed.includes(name) || /^([a-f123])\1{63}/.test(name),
  );
  expect(own.sort()).toEqual(
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
    `SELECT left(hash, 1) AS digit FROM spoken_sentences WHERE hash ~ '^([145])\\1+$' ORDER BY 1`,
  );
  expect(left.map(({ digit }) => digit)).toEqual(['1', '5']);
  expect((await fetch(audio.url ?? '')).status).toBe(200);
});

test('recordings that no narration uses go after thirty days with their files and sentences', async () => {
  const { url, database } = talebank;
  const listener = await newListener(url);
  const story = await newStory(url, admin, { length: 120 });
  const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
  const audio = await waitForAudio(url, listener, audioId, ['READY']);
  await database.sql(
    `UPDATE renditions r SET created_at = now() - interval '400 days' FROM audios a
     WHERE a.id = $1 AND r.hash = a.rendition_hash`,
    [audioId],
  );
  for (const digits of ['6', '7'])
    for (const ending of ['mp3', 'vtt']) await leave(key(digits, ending), 40);
  await database.sql(
    `INSERT INTO renditions (hash, duration_ms, length_bytes, created_at)
     VALUES (repeat('6', 64), 1, 11, now() - interval '31 days'), (repeat('7', 64), 1, 11, now() - interval '29 days')`,
  );
  await database.sql(
    `INSERT INTO spoken_sentences (hash, leased_by, leased_until, key, offset_bytes, length_bytes, samples, sample_rate_hz)
     VALUES (repeat('8', 64), gen_random_uuid(), now(), $1, 0, 11, 576, 22050)`,
    [key('6', 'mp3')],
  );
  await prune();
  await until('its files are gone', async () =>
    (await files()).every((name) => !name.startsWith('666')),
  );
  const left = await files();
  expect(left).toEqual(expect.arrayContaining([key('7', 'mp3'), key('7', 'vtt')]));
  const rows = await database.sql<{ digit: string }>(
    `SELECT left(hash, 1) AS digit FROM renditions WHERE hash IN (repeat('6', 64), repeat('7', 64))
     UNION ALL SELECT left(hash, 1) FROM spoken_sentences WHERE hash = repeat('8', 64)`,
  );
  expect(rows).toEqual([{ digit: '7' }]);
  expect((await fetch(audio.url ?? '')).status).toBe(200);
});

test('the sample of a voice that sounds otherwise now is removed, and the present one stays', async () => {
  const { url, database } = talebank;
  const { voices } = await ask(url, VoiceSamples, {});
  const address = voices[0]?.sampleUrl ?? '';
  expect((await fetch(address)).status).toBe(200);
  const present = /[0-9a-f]{64}\.mp3/.exec(address)?.[0] ?? '';
  await age(present, 400);
  for (const [digits, days] of [
    ['9', 40],
    ['0', 0.5],
  ] as const) {
    await leave(key(digits, 'mp3'), days);
    await database.sql(
      `INSERT INTO spoken_sentences (hash, leased_by, leased_until, key, offset_bytes, length_bytes, samples, sample_rate_hz)
       VALUES (repeat($1, 64), gen_random_uuid(), now(), $2, 0, 11, 576, 22050)`,
      [digits, key(digits, 'mp3')],
    );
  }
  await prune();
  const left = await files();
  expect(left).toEqual(expect.arrayContaining([present, key('0', 'mp3')]));
  expect(left).not.toContain(key('9', 'mp3'));
  const rows = await database.sql(`SELECT FROM spoken_sentences WHERE hash = repeat('9', 64)`);
  expect(rows).toEqual([]);
});
