import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ask, execute } from '../support/client.js';
import { until } from '../support/faults.js';
import {
  AddBookmark,
  ChangePassword,
  DeleteAccount,
  ExportMyData,
  ReportListening,
  SetFavourite,
} from '../support/operations.js';
import {
  administrator,
  englishVoice,
  grantTo,
  narrate,
  newListener,
  newStory,
  PASSWORD,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

/** The API alone, so that a test decides when a worker makes the archive. */
let talebank: Talebank;
let url: string;
let worker: ServerProcess;
let admin: Person;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  admin = await administrator(url);
  worker = await talebank.join({ ROLE: 'worker' });
});
afterAll(() => talebank.close());

interface Archive {
  readonly format: string;
  readonly profile: Record<string, unknown>;
  readonly [list: string]: unknown;
}

const begin = async (person: Person): Promise<{ url: string; expiresAt: string; rows: number }> =>
  (await ask(url, ExportMyData, { password: PASSWORD }, person.token)).exportMyData;

/** Requests the address as a client should: again after 202. */
async function download(address: string): Promise<Archive> {
  let answer = await fetch(address);
  await until('the archive is made', async () => {
    if (answer.status !== 202) return true;
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
    answer = await fetch(address);
    return answer.status !== 202;
  });
  expect(answer.status).toBe(200);
  return (await answer.json()) as Archive;
}

const listIn = (archive: Archive, name: string): Record<string, unknown>[] =>
  archive[name] as Record<string, unknown>[];

test('the archive has everything about the person, and nothing about others', async () => {
  const [person, other] = [await newListener(url), await newListener(url)];
  const { id: storyId } = await newStory(url, admin, { title: 'The Exported Moon' });
  const voiceId = await englishVoice(url);
  await grantTo(url, admin, person, { amount: 7, reason: 'A present of the librarian' });
  const { audioId: audio } = await narrate(url, person, storyId, voiceId);
  await waitForAudio(url, person, audio);
  const at = '2026-01-01T00:00:00Z';
  await ask(
    url,
    ReportListening,
    { input: { audioId: audio, positionMs: 2345, at } },
    person.token,
  );
  const mark = { audioId: audio, positionMs: 1234, note: 'Here the moon goes' };
  await ask(url, AddBookmark, mark, person.token);
  await ask(url, SetFavourite, { storyId, favourite: true }, person.token);
  // More than one page of a list.
  await talebank.database.sql(
    `INSERT INTO notices (user_id, id, key, kind, at, points, mail_due)
     SELECT $1, gen_random_uuid(), n::text, 'POINTS_GRANTED', now(), n, false FROM generate_series(1, 1203) n`,
    [person.id],
  );
  const { url: address, expiresAt, rows } = await begin(person);
  expect(Date.parse(expiresAt)).toBeGreaterThan(Date.now() + 23 * 3_600_000);
  const archive = await download(address);

  expect(archive.profile).toMatchObject({ id: person.id, email: person.email, locale: 'en' });
  expect(listIn(archive, 'sessions')).toEqual([
    expect.objectContaining({ ipAddress: expect.any(String) as unknown }),
  ]);
  expect(listIn(archive, 'lots').map(({ granted }) => granted)).toContain(7);
  const movements = listIn(archive, 'movements');
  expect(movements.map(({ seq }) => seq)).toEqual(movements.map((_, index) => index + 1));
  expect(movements).toContainEqual(
    expect.objectContaining({ type: 'GRANT', reason: 'A present of the librarian', amount: 7 }),
  );
  for (const movement of movements) expect(movement['allocations']).not.toEqual([]);
  expect(listIn(archive, 'narrations')).toEqual([
    expect.objectContaining({
      id: audio,
      title: 'The Exported Moon',
      listening: expect.objectContaining({ positionMs: 2345 }) as unknown,
      bookmarks: [expect.objectContaining({ positionMs: 1234, note: 'Here the moon goes' })],
    }),
  ]);
  expect(listIn(archive, 'favourites').map((one) => one['storyId'])).toEqual([storyId]);
  const notices = listIn(archive, 'notices').filter(({ points }) => points !== null);
  expect(new Set(notices.map(({ points }) => points)).size).toBe(1203);
  const lists = Object.values(archive).filter(Array.isArray) as unknown[][];
  // A notice can be made between the request and the job.
  expect(lists.reduce((sum, list) => sum + list.length, 1)).toBeGreaterThanOrEqual(rows);

  const text = JSON.stringify(archive);
  for (const secret of [other.id, other.email, admin.id, admin.email])
    expect(text).not.toContain(secret);
  expect(text).not.toMatch(/argon2|password_?hash|refresh|requestHash/i);
});

test('the address answers 202 until a worker has made the archive', async () => {
  await worker.stop();
  const person = await newListener(url);
  const { url: address } = await begin(person);
  const early = await fetch(address);
  expect(early.status).toBe(202);
  expect(early.headers.get('cache-control')).toBe('no-store');
  expect((await begin(person)).url.split('?')[0]).toBe(address.split('?')[0]);
  worker = await talebank.join({ ROLE: 'worker' });
  expect((await download(address)).profile['id']).toBe(person.id);
});

test('a client that takes no compressed answers gets the plain text', async () => {
  const person = await newListener(url);
  const { url: address } = await begin(person);
  await download(address);
  const text = await new Promise<string>((resolve, reject) => {
    request(address, (answer) => {
      expect(answer.headers['content-encoding']).toBeUndefined();
      expect(answer.headers['content-disposition']).toMatch(/^attachment.*talebank data\.json/);
      let all = '';
      answer.setEncoding('utf8').on('data', (part: string) => (all += part));
      answer
        .on('end', () => {
          resolve(all);
        })
        .on('error', reject);
    })
      .on('error', reject)
      .end();
  });
  expect((JSON.parse(text) as Archive).profile['id']).toBe(person.id);
});

test('only the signed address returns the archive, and only until it expires', async () => {
  const [person, other] = [await newListener(url), await newListener(url)];
  const { url: address } = await begin(person);
  await download(address);
  const tampered = new URL(address);
  for (const [from, to] of [
    [person.id, other.id],
    [/expires=\d+/.exec(address)?.[0] ?? '', 'expires=99999999999'],
    [tampered.search, ''],
  ] as const)
    expect((await fetch(address.replace(from, to))).status).toBe(403);
  await talebank.database.sql(
    `UPDATE data_exports SET expires_at = now() - interval '1 second' WHERE user_id = $1`,
    [person.id],
  );
  expect((await fetch(address)).status).toBe(404);
});

test('a new password ends the address of an archive, and the next request gets another archive', async () => {
  const person = await newListener(url);
  const { url: address } = await begin(person);
  await download(address);
  const passwords = { currentPassword: PASSWORD, newPassword: 'quite another one' };
  const { changePassword } = await ask(url, ChangePassword, passwords, person.token);
  expect((await fetch(address)).status).toBe(404);
  const { exportMyData } = await ask(
    url,
    ExportMyData,
    { password: passwords.newPassword },
    changePassword.accessToken,
  );
  expect((await download(exportMyData.url)).profile['id']).toBe(person.id);
});

test('the password is needed', async () => {
  const person = await newListener(url);
  const wrong = await execute(url, ExportMyData, { password: 'wrong' }, { token: person.token });
  expect(wrong.errors[0]?.extensions.code).toBe('INVALID_CREDENTIALS');
  const stranger = await execute(url, ExportMyData, { password: PASSWORD });
  expect(stranger.errors[0]?.extensions.code).toBe('UNAUTHENTICATED');
  const kept = await talebank.database.sql('SELECT 1 FROM data_exports WHERE user_id = $1', [
    person.id,
  ]);
  expect(kept).toEqual([]);
});

test('the archive is erased with the account', async () => {
  const person = await newListener(url);
  const { url: address } = await begin(person);
  await download(address);
  await ask(url, DeleteAccount, { password: PASSWORD }, person.token);
  expect((await fetch(address)).status).toBe(404);
  await until('the row is gone', async () => {
    const kept = await talebank.database.sql('SELECT 1 FROM data_exports WHERE user_id = $1', [
      person.id,
    ]);
    return kept.length === 0;
  });
});
