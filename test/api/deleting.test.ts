import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readdir } from 'node:fs/promises';
import { ask, execute, send } from '../support/client.js';
import { parseCsv } from '../support/csv.js';
import { until } from '../support/faults.js';
import { expectSoundLedger } from '../support/invariants.js';
import { AddBookmark, AudioById, Narrate, ReportListening } from '../support/operations.js';
import {
  administrator,
  englishVoice,
  grantTo,
  narrate,
  newListener,
  newStory,
  type Person,
  waitForAudio,
} from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let admin: Person;
let voiceId: string;

beforeAll(async () => {
  talebank = await startTalebank();
  url = talebank.url;
  admin = await administrator(url);
  voiceId = await englishVoice(url);
});
afterAll(async () => {
  await expectSoundLedger(talebank.database);
  await talebank.close();
});

const remove = async (person: Person, id: string): Promise<string | undefined> => {
  const document = `mutation { deleteAudio(id: "${id}") }`;
  const { data, errors } = await send(url, document, {}, { token: person.token });
  return errors[0]?.extensions.code ?? JSON.stringify(data);
};
const DELETED = '{"deleteAudio":true}';

const recordingHashOf = async (audioId: string): Promise<string> => {
  const [row] = await talebank.database.sql<{ hash: string }>(
    'SELECT rendition_hash AS hash FROM audios WHERE id = $1',
    [audioId],
  );
  return row?.hash ?? '';
};
const filesOf = async (hash: string): Promise<string[]> =>
  (await readdir(talebank.dataDir, { recursive: true })).filter((name) => name.includes(hash));

test('a recording that is shared stays until the last narration of it is deleted', async () => {
  const [anna, ben] = [await newListener(url), await newListener(url)];
  const story = await newStory(url, admin);
  const audios: string[] = [];
  for (const person of [anna, ben]) {
    const { audioId } = await narrate(url, person, story.id, voiceId);
    await waitForAudio(url, person, audioId);
    audios.push(audioId);
  }
  const [ofAnna = '', ofBen = ''] = audios;
  const hash = await recordingHashOf(ofAnna);
  expect(await recordingHashOf(ofBen)).toBe(hash);
  const input = {
    audioId: ofAnna,
    positionMs: 1,
    at: talebank.database.ledgerTime().toISOString(),
  };
  await ask(url, ReportListening, { input }, anna.token);
  await ask(url, AddBookmark, { audioId: ofAnna, positionMs: 1, note: null }, anna.token);
  // Another person's narration, and one that never was, are the same.
  expect(await remove(anna, ofBen)).toBe('NOT_FOUND');
  expect(await remove(anna, 'none')).toBe('NOT_FOUND');
  expect(await remove(anna, ofAnna)).toBe(DELETED);
  expect(await remove(anna, ofAnna)).toBe('NOT_FOUND');
  const { audio } = await ask(url, AudioById, { id: ofBen }, ben.token);
  expect((await fetch(audio?.url ?? '')).status).toBe(200);
  expect(await remove(ben, ofBen)).toBe(DELETED);
  await until('the files are deleted', async () => (await filesOf(hash)).length === 0);
  expect((await fetch(audio?.url ?? '')).status).toBe(404);
  expect(await talebank.database.sql('SELECT FROM renditions WHERE hash = $1', [hash])).toEqual([]);
  // No refund, and a new narration is charged again.
  const balance = 'query { me { credits { balance } } }';
  const { data } = await send<{ me: object }>(url, balance, {}, { token: anna.token });
  expect(data?.me).toEqual({ credits: { balance: 10 - story.requiredCredits } });
  const again = await narrate(url, anna, story.id, voiceId);
  expect(again.charged).toBe(true);
  expect((await waitForAudio(url, anna, again.audioId)).status).toBe('READY');
});

test('the same recording of two stories of one listener is kept for the other one', async () => {
  const person = await newListener(url);
  const content = `The same tale for two stories of ${person.id}.`;
  const ids: string[] = [];
  for (let each = 0; each < 2; each += 1) {
    const story = await newStory(url, admin, { content });
    const { audioId } = await narrate(url, person, story.id, voiceId);
    await waitForAudio(url, person, audioId);
    ids.push(audioId);
  }
  expect(await remove(person, ids[0] ?? '')).toBe(DELETED);
  const { audio } = await ask(url, AudioById, { id: ids[1] ?? '' }, person.token);
  expect((await fetch(audio?.url ?? '')).status).toBe(200);
});

test('a deleted narration is not found by the key of its request, and one that is being made is not deleted', async () => {
  const person = await newListener(url);
  const story = await newStory(url, admin);
  const input = { storyId: story.id, voiceId, idempotencyKey: 'once' };
  const { synthesizeAudio } = await ask(url, Narrate, { input }, person.token);
  const { id } = synthesizeAudio.audio;
  await waitForAudio(url, person, id);
  await talebank.database.sql(
    `UPDATE audios SET status = 'PROCESSING', ready_at = NULL, duration_ms = NULL, length_bytes = NULL WHERE id = $1`,
    [id],
  );
  expect(await remove(person, id)).toBe('CONFLICT');
  await talebank.database.sql(
    `UPDATE audios SET status = 'FAILED', failure_reason = 'A test' WHERE id = $1`,
    [id],
  );
  expect(await remove(person, id)).toBe(DELETED);
  const { errors } = await execute(url, Narrate, { input }, { token: person.token });
  expect(errors[0]?.extensions.code).toBe('NOT_FOUND');
});

test('the statement of a period is a file without formulas', async () => {
  const person = await newListener(url);
  const before = talebank.database.ledgerTime(-60_000).toISOString();
  await grantTo(url, admin, person, { amount: 5, reason: '=HYPERLINK("http://example.com")' });
  const statement = async (
    from: string,
    to: string,
  ): Promise<{ url: string; rows: number; expiresAt: string } | string | undefined> => {
    const document = `{ statement(from: "${from}", to: "${to}", format: CSV) { url rows expiresAt } }`;
    const { data, errors } = await send<{
      statement: { url: string; rows: number; expiresAt: string };
    }>(url, document, {}, { token: person.token });
    return errors[0]?.extensions.code ?? data?.statement;
  };
  const found = await statement(before, '2199-01-01T00:00:00Z');
  if (found === undefined || typeof found === 'string') throw new Error(String(found));
  expect(found.rows).toBe(2);
  const response = await fetch(found.url);
  expect(response.headers.get('content-type')).toContain('text/csv');
  const text = await response.text();
  const rows = parseCsv(text);
  expect(rows.map(([row]) => row)).toEqual(['row', 'OPENING', 'MOVEMENT', 'MOVEMENT', 'CLOSING']);
  expect(text).toContain(`"'=HYPERLINK(""http://example.com"")"`);
  expect(rows.at(-1)?.[4]).toBe('15');
  // The address is good for this period alone.
  const period = /\/([\d-]+)\.csv/.exec(found.url)?.[1] ?? '';
  const longer = found.url.replace(period, `0-${period.split('-')[1] ?? ''}`);
  expect((await fetch(longer)).status).toBe(403);
  expect(await statement('2190-01-01T00:00:00Z', '2199-01-01T00:00:00Z')).toBe('BAD_USER_INPUT');
  expect(await statement(before, before)).toBe('BAD_USER_INPUT');
  const empty = await statement('1969-01-01T00:00:00Z', '1970-01-01T00:00:00Z');
  expect(empty).toMatchObject({ rows: 0 });
  if (typeof empty === 'object') expect((await fetch(empty.url)).status).toBe(200);
});
