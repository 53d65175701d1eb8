import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { ask } from '../support/client.js';
import { until } from '../support/faults.js';
import { readMp3 } from '../support/mp3.js';
import { VoiceSamples } from '../support/operations.js';
import { answerWith, startSpeechServer, type SpeechServer } from '../support/speech-server.js';
import {
  startTalebank,
  type Environment,
  type ServerProcess,
  type Talebank,
} from '../support/talebank.js';

/** One voice for each test that has a sample made, so that the tests do not depend on each other. */
const VOICES = [
  ['once', 'en'],
  ['resting', 'pl'],
  ['wordless', 'de'],
  ['lost', 'fr'],
  ['name / with ? signs', 'es'],
  ['untold', 'tlh'],
  ['wanted', 'it'],
] as const;

let provider: SpeechServer;
let talebank: Talebank;
let url: string;
let other: ServerProcess;

const speaking = (): Environment => ({
  ROLE: 'api',
  SPEECH_PROVIDER: 'openai',
  OPENAI_BASE_URL: provider.url,
  OPENAI_TTS_VOICES: JSON.stringify(VOICES.map(([id, tag]) => ({ id, languages: [tag] }))),
  RATE_LIMIT_FACTOR: '1',
  TRUST_PROXY: 'loopback',
});

beforeAll(async () => {
  provider = await startSpeechServer({ kind: 'openai' });
  talebank = await startTalebank(speaking());
  url = talebank.url;
  other = await talebank.join(speaking());
});
beforeEach(() => {
  provider.behave('good');
  provider.delayMs = 0;
});
afterAll(async () => {
  await talebank.close();
  await provider.close();
});

type Name = (typeof VOICES)[number][0];

async function sampleOf(name: Name): Promise<string | null> {
  const { voices } = await ask(url, VoiceSamples, {});
  return voices.find(({ id }) => id === `openai-${name}`)?.sampleUrl ?? null;
}

/** The address of a sample at the other process. */
const atOther = (address: string): string => address.replace(url, other.url);

let addresses = 0;
/** Asks from an address that no other request has. */
const open = (address: string): Promise<Response> => {
  addresses += 1;
  const from = `198.51.${String(addresses >> 8)}.${String(addresses & 255)}`;
  return fetch(address, { headers: { 'x-forwarded-for': from } });
};

const askedFor = (name: Name): number =>
  provider.requests.filter(({ voice }) => voice === name).length;

test('a sample is made once, for all who ask at the same time, in both processes', async () => {
  const address = (await sampleOf('once')) ?? '';
  provider.delayMs = 300;
  const answers = await Promise.all(
    [address, address, atOther(address), atOther(address)].map(open),
  );
  const bodies = await Promise.all(
    answers.map(async (one) => Buffer.from(await one.arrayBuffer())),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(new Set(bodies.map((body) => body.toString('base64'))).size).toBe(1);
  expect(readMp3(bodies[0] ?? Buffer.alloc(0)).durationSeconds).toBeGreaterThan(1);
  expect(askedFor('once')).toBe(1);
  expect(provider.requests.find(({ voice }) => voice === 'once')?.text).toMatch(/^In the evening /);
});

test('a voice whose name has other characters has a sample', async () => {
  const answer = await open((await sampleOf('name / with ? signs')) ?? '');
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'audio/mpeg']);
});

test('a voice of a language without a text has none', async () => {
  expect(await sampleOf('untold')).toBeNull();
});

test('nothing else can be asked for', async () => {
  const wanted = new URL((await sampleOf('wanted')) ?? '');
  const otherHash = wanted.pathname.replace(/[0-9a-f]{64}/, 'a'.repeat(64));
  const otherVoice = new URL(wanted);
  otherVoice.searchParams.set('voice', 'openai-resting');
  const before = [askedFor('wanted'), askedFor('resting')];
  for (const address of [
    `${wanted.origin}${otherHash}${wanted.search}`,
    otherVoice.href,
    `${wanted.origin}${wanted.pathname}`,
    `${wanted.origin}${wanted.pathname}?voice=%00`,
    `${wanted.origin}/samples/..%2f..%2fetc%2fpasswd${wanted.search}`,
  ])
    expect([address, (await open(address)).status]).toEqual([address, 404]);
  expect([askedFor('wanted'), askedFor('resting')]).toEqual(before);
});

test('while the provider rests, the answer is 503 and says when to come again', async () => {
  const address = (await sampleOf('resting')) ?? '';
  provider.behave(answerWith(429, { 'retry-after': '2' }));
  const refused = await open(address);
  expect(refused.status).toBe(503);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(refused.headers.get('access-control-allow-origin')).toBe('*');
  provider.behave('good');
  await until('the sample is made', async () => (await open(address)).status === 200);
});

test('a provider that gives no speech is not asked again at once', async () => {
  const address = (await sampleOf('wordless')) ?? '';
  provider.behave('HTML with 200');
  const answers = [await open(address), await open(address), await open(address)];
  expect(answers.map(({ status }) => status)).toEqual([503, 503, 503]);
  for (const { headers } of answers) {
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(headers.get('retry-after'))).toBeLessThanOrEqual(60);
  }
  expect(askedFor('wordless')).toBe(1);
});

test('a sample whose file is lost is made again', async () => {
  const address = (await sampleOf('lost')) ?? '';
  expect((await open(address)).status).toBe(200);
  const key = new URL(address).pathname.split('/').at(-1) ?? '';
  const path = join(talebank.dataDir, 'audio', key.slice(0, 2), key);
  await rename(path, `${path}.away`);
  expect((await open(address)).status).toBe(200);
  expect(askedFor('lost')).toBe(2);
});

test('an address is refused beyond the limit, and others are not', async () => {
  const address = (await sampleOf('wanted')) ?? '';
  const headers = { 'x-forwarded-for': '203.0.113.7' };
  const unknown = address.replace(/[0-9a-f]{64}/, 'b'.repeat(64));
  const statuses: number[] = [];
  for (let asked = 0; asked < 61; asked += 1)
    statuses.push((await fetch(unknown, { headers })).status);
  // A window may have ended in between, so that there is no status for each request.
  expect(statuses.slice(0, 60)).toEqual(Array.from({ length: 60 }, () => 404));
  await until('the limit is reached', async () => {
    const { status } = await fetch(unknown, { headers });
    return status === 429;
  });
  expect((await open(unknown)).status).toBe(404);
});
