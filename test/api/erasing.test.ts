import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type * as Db from '../../src/infra/db.js';
import type * as Erasing from '../../src/services/narrations/deletion/erasing.sql.js';
import type * as Recordings from '../../src/services/narrations/synthesis/recordings.sql.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { compiled } from '../support/compiled.js';

/** Erasing a recording while other narrations have it, need it, or erase it too. */
let database: TestDatabase;
let app: OpenApp;
let erase: (hash: string, userId: string) => Promise<string>;
let markAbandoned: (hash: string) => Promise<boolean>;
let readAbandoned: (days: number) => Promise<string[]>;
let hold: (hash: string, userId: string, audioId: string) => Promise<unknown>;

beforeAll(async () => {
  database = await createDatabase();
  app = await openTestApp(database);
  const { transact } = await compiled<typeof Db>('infra/db.js');
  const recordings = await compiled<typeof Recordings>(
    'services/narrations/synthesis/recordings.sql.js',
  );
  const erasing = await compiled<typeof Erasing>('services/narrations/deletion/erasing.sql.js');
  markAbandoned = (hash) => transact(app.db, (tx) => erasing.markAbandoned(tx as never, hash));
  readAbandoned = (days) => erasing.readAbandoned(app.db, { days, limit: 1000 });
  erase = (hash, userId) =>
    transact(app.db, (tx) => recordings.beginErasing(tx as never, { hash, userId }));
  hold = (hash, userId, audioId) =>
    transact(app.db, (tx) =>
      recordings.holdRecording(tx as never, { userId, audioId, claim: 1 }, hash),
    );
});
afterAll(async () => {
  await app.close(1000);
  await database.drop();
});

let recordings = 0;

/** A recording that these people have, as READY or in the making. */
async function recording(
  ...owners: readonly (readonly [userId: string, status: 'READY' | 'PROCESSING'])[]
): Promise<{ hash: string; audioIds: string[] }> {
  recordings += 1;
  const hash = String(recordings).padStart(64, '0');
  await database.sql(
    'INSERT INTO renditions (hash, duration_ms, length_bytes) VALUES ($1, 1000, 8000)',
    [hash],
  );
  const audioIds = owners.map(() => randomUUID());
  for (const [index, [userId, status]] of owners.entries())
    await database.sql(
      `INSERT INTO audios (user_id, id, story_id, voice_id, text_hash, status, attempt, claim, job_id, debit_seq,
         rendition_hash, duration_ms, length_bytes, created_at, updated_at, ready_at)
       VALUES ($1, $2, gen_random_uuid(), 'voice', 'text', $3::text::audio_status, 1, 1, gen_random_uuid(), 1,
         CASE WHEN $3 = 'READY' THEN $4 END, 1000, 8000, now(), now(), CASE WHEN $3 = 'READY' THEN now() END)`,
      [userId, audioIds[index], status, hash],
    );
  return { hash, audioIds };
}

async function people(leaving: number, staying: number): Promise<string[]> {
  const ids = await makeAccounts(database, leaving + staying);
  await database.sql('UPDATE users SET deleted_at = now() WHERE id = ANY($1)', [
    ids.slice(0, leaving),
  ]);
  return ids;
}

test('a recording is erased unless another narration has it', async () => {
  const [leaver = '', other = ''] = await people(1, 1);
  const alone = await recording([leaver, 'READY']);
  const shared = await recording([leaver, 'READY'], [other, 'READY']);
  expect(await erase(alone.hash, leaver)).toBe('marked');
  expect(await erase(shared.hash, leaver)).toBe('shared');
});

test('an interrupted erasure is finished, although the recording was requested meanwhile', async () => {
  const [leaver = '', other = ''] = await people(1, 1);
  const { hash, audioIds } = await recording([leaver, 'READY'], [other, 'PROCESSING']);
  expect(await erase(hash, leaver)).toBe('marked');
  // A narration that needs it sees that it is being erased, and is tried again later.
  expect(await hold(hash, other, audioIds[1] ?? '')).toMatchObject({ erasing: true });
  expect(await erase(hash, leaver)).toBe('marked');
});

test('of two who had it and left, one erases it at a time', async () => {
  const [first = '', second = ''] = await people(2, 0);
  const { hash } = await recording([first, 'READY'], [second, 'READY']);
  expect(await erase(hash, first)).toBe('marked');
  expect(await erase(hash, second)).toBe('elsewhere');
  // The first is believed to be at it for a while, and no longer.
  await database.sql(
    `UPDATE renditions SET erasing_since = now() - interval '6 minutes' WHERE hash = $1`,
    [hash],
  );
  expect(await erase(hash, second)).toBe('marked');
});

test('a recording that no narration uses is found after its time, and one that is used never', async () => {
  const [person = ''] = await people(0, 1);
  const used = await recording([person, 'READY']);
  const wanted = await recording([person, 'PROCESSING']);
  const cancelled = await recording([person, 'PROCESSING']);
  const young = await recording();
  // A narration names its recording from its claim on.
  for (const { hash, audioIds } of [wanted, cancelled]) await hold(hash, person, audioIds[0] ?? '');
  await database.sql(
    `UPDATE renditions SET created_at = now() - interval '31 days' WHERE hash = ANY($1)`,
    [[used.hash, wanted.hash, cancelled.hash]],
  );
  await database.sql(`UPDATE audios SET status = 'CANCELLED' WHERE rendition_hash = $1`, [
    cancelled.hash,
  ]);
  const found = await readAbandoned(30);
  expect(found).toContain(cancelled.hash);
  for (const { hash } of [used, wanted, young]) expect(found).not.toContain(hash);
});

test('a recording that is used again just before it would be marked stays, and one that is marked is not used', async () => {
  const [person = ''] = await people(0, 1);
  const { hash } = await recording();
  const { audioIds } = await recording([person, 'PROCESSING']);
  await hold(hash, person, audioIds[0] ?? '');
  expect(await markAbandoned(hash)).toBe(false);
  const other = await recording();
  expect(await markAbandoned(other.hash)).toBe(true);
  expect(await hold(other.hash, person, audioIds[0] ?? '')).toMatchObject({ erasing: true });
  // A deletion that has begun is left to its job, and begun again when that one must have been lost.
  expect(await markAbandoned(other.hash)).toBe(false);
  const lost = await recording();
  await database.sql(
    `UPDATE renditions SET erasing_since = now() - interval '25 hours' WHERE hash = $1`,
    [lost.hash],
  );
  expect(await markAbandoned(lost.hash)).toBe(true);
});
