import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type * as Db from '../../src/infra/db.js';
import type * as Renditions from '../../src/services/narrations/synthesis/renditions.sql.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { compiled } from '../support/compiled.js';

/** Erasing a recording while other narrations have it, need it, or erase it too. */
let database: TestDatabase;
let app: OpenApp;
let erase: (hash: string, userId: string) => Promise<string>;
let hold: (hash: string, userId: string, audioId: string) => Promise<unknown>;

beforeAll(async () => {
  database = await createDatabase();
  app = await openTestApp(database);
  const { transact } = await compiled<typeof Db>('infra/db.js');
  const renditions = await compiled<typeof Renditions>(
    'services/narrations/synthesis/renditions.sql.js',
  );
  erase = (hash, userId) =>
    transact(app.db, (tx) => renditions.beginErasing(tx as never, { hash, userId }));
  hold = (hash, userId, audioId) =>
    transact(app.db, (tx) =>
      renditions.holdRendition(tx as never, { userId, audioId, claim: 1 }, hash),
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
