import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  administrator,
  englishVoice,
  narrate,
  newListener,
  newStory,
  waitForAudio,
} from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let file: string;
let captions: string;
let whole: Uint8Array;

beforeAll(async () => {
  talebank = await startTalebank();
  const { url } = talebank;
  const listener = await newListener(url);
  const story = await newStory(url, await administrator(url), { length: 300 });
  const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
  const audio = await waitForAudio(url, listener, audioId);
  file = audio.url ?? '';
  captions = audio.captionsUrl ?? '';
  whole = await bytesOf(await fetch(file));
});
afterAll(() => talebank.close());

const bytesOf = async (response: Response): Promise<Uint8Array> =>
  new Uint8Array(await response.arrayBuffer());
const get = (headers: Record<string, string>): Promise<Response> => fetch(file, { headers });

test.each([
  ['bytes=0-99', 0, 99],
  ['bytes=100-', 100, undefined],
  ['bytes=-50', -50, undefined],
])('%s is answered with that part', async (range, start, end) => {
  const part = await get({ range });
  expect(part.status).toBe(206);
  const first = start < 0 ? whole.length + start : start;
  const last = end ?? whole.length - 1;
  expect(part.headers.get('content-range')).toBe(
    `bytes ${String(first)}-${String(last)}/${String(whole.length)}`,
  );
  expect(await bytesOf(part)).toEqual(whole.slice(first, last + 1));
});

test('a range beyond the end is 416 with the length', async () => {
  const answer = await get({ range: `bytes=${String(whole.length)}-` });
  expect(answer.status).toBe(416);
  expect(answer.headers.get('content-range')).toBe(`bytes */${String(whole.length)}`);
});

test('HEAD tells the length and type without the bytes', async () => {
  const head = await fetch(file, { method: 'HEAD' });
  expect(head.status).toBe(200);
  expect(head.headers.get('content-length')).toBe(String(whole.length));
  expect(head.headers.get('content-type')).toBe('audio/mpeg');
  expect(head.headers.get('accept-ranges')).toBe('bytes');
  expect((await bytesOf(head)).length).toBe(0);
});

test('the ETag spares the bytes, and guards a range', async () => {
  const etag = (await get({})).headers.get('etag') ?? '';
  expect((await get({ 'if-none-match': etag })).status).toBe(304);
  expect((await get({ 'if-range': etag, range: 'bytes=0-0' })).status).toBe(206);
  expect((await get({ 'if-range': '"another"', range: 'bytes=0-0' })).status).toBe(200);
});

test('captions are WebVTT', async () => {
  const answer = await fetch(captions);
  expect(answer.headers.get('content-type')).toBe('text/vtt; charset=utf-8');
  expect(await answer.text()).toMatch(/^WEBVTT\n\n1\n00:00:00\.000 --> /);
});

test('a wrong, foreign or expired signature is 403', async () => {
  const address = new URL(file);
  const change = (name: string, value: string): string => {
    const changed = new URL(address);
    changed.searchParams.set(name, value);
    return changed.href;
  };
  const signature = address.searchParams.get('signature') ?? '';
  const wrong = [
    change('signature', ''),
    change('signature', `${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`),
    change('expires', '9999999999'),
    change('expires', '1'),
    file.replace('.mp3', '.vtt'),
    `${address.origin}${address.pathname}`,
    `${address.origin}/files/..%2f..%2fetc%2fpasswd${address.search}`,
  ];
  for (const one of wrong) expect([one, (await fetch(one)).status]).toEqual([one, 403]);
});

test('a file that was deleted is 404', async () => {
  const key = new URL(captions).pathname.split('/').at(-1) ?? '';
  const path = join(talebank.dataDir, 'audio', key.slice(0, 2), key);
  await rename(path, `${path}.away`);
  expect((await fetch(captions)).status).toBe(404);
  await rename(`${path}.away`, path);
  expect((await fetch(captions)).status).toBe(200);
});
