import { randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type * as ConfigModule from '../../src/config.js';
import type { TracingConfig } from '../../src/config.js';
import type { Logger } from '../../src/infra/log.js';
import type * as Events from '../../src/infra/logging/events.js';
import type * as Calls from '../../src/infra/tracing/calls.js';
import type * as Sdk from '../../src/infra/tracing/sdk.js';
import type * as Statements from '../../src/infra/tracing/statements.js';
import type * as Tracing from '../../src/infra/tracing/tracing.js';
import { ask, send } from '../support/client.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import { Login, Register } from '../support/operations.js';
import { startOtlpReceiver, type OtlpReceiver, type ReceivedSpan } from '../support/otlp.js';
import {
  administrator,
  englishVoice,
  narrate,
  newListener,
  newStory,
  textOf,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

const SECRET_HEADER = 'a-key-of-the-receiver';
let receiver: OtlpReceiver;
let talebank: Talebank;
let url: string;
let admin: Person;
let voice: string;

beforeAll(async () => {
  receiver = await startOtlpReceiver();
  talebank = await startTalebank({
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_EXPORTER_OTLP_HEADERS: `x-key=${SECRET_HEADER}`,
    OTEL_SERVICE_NAME: 'tales',
    LOG_LEVEL: 'debug',
    SYNTHESIS_RETRIES: '0',
  });
  ({ url } = talebank);
  admin = await administrator(url);
  voice = await englishVoice(url);
});
afterAll(async () => {
  try {
    await expectListedEvents();
  } finally {
    await talebank.close();
  }
  await receiver.close();
});

const lines = (): Record<string, unknown>[] => talebank.server.logs();
const linesOf = (requestId: unknown): Record<string, unknown>[] =>
  lines().filter((line) => line['requestId'] === requestId);
const events = (some: readonly Record<string, unknown>[]): unknown[] =>
  some.map(({ event }) => event);
const lineOf = (event: string, audioId: string): Record<string, unknown> | undefined =>
  lines().find((line) => line['event'] === event && line['audioId'] === audioId);
const spansOf = (traceId: unknown): ReceivedSpan[] =>
  receiver.spans().filter((span) => span.traceId === traceId);

/** Asks for a narration, and waits for its end and for the lines about it. */
async function narrated(content: string): Promise<{ audioId: string; requestId: unknown }> {
  const listener = await newListener(url);
  const story = await newStory(url, admin, { content });
  const { audioId } = await narrate(url, listener, story.id, voice);
  await waitForAudio(url, listener, audioId);
  const ended = (): boolean =>
    ['narration-ready', 'narration-failed'].some((event) => lineOf(event, audioId) !== undefined);
  await until('its end is logged', ended);
  return { audioId, requestId: lineOf('narration-requested', audioId)?.['requestId'] };
}

/** Every line that the tests have caused has a listed event, at the level of the list. */
async function expectListedEvents(): Promise<void> {
  const { EVENTS } = await compiled<typeof Events>('infra/logging/events.js');
  const list: Readonly<Record<string, { readonly level: string }>> = EVENTS;
  const odd = lines().filter(
    ({ event, level, time, msg }) =>
      list[String(event)]?.level !== level ||
      typeof msg !== 'string' ||
      Number.isNaN(Date.parse(String(time))),
  );
  expect(odd).toEqual([]);
}

test('a narration is one trace, from the request through the ledger to the worker', async () => {
  const { audioId } = await narrated(textOf(100));
  const ready = lineOf('narration-ready', audioId);
  const traceId = ready?.['traceId'];
  const jobOf = (): ReceivedSpan | undefined =>
    spansOf(traceId).find(({ name }) => name === 'process synthesize-audio');
  await until('the job is exported', () => jobOf() !== undefined);
  const spans = spansOf(traceId);
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  /** The names from a span up to the first one of the trace. */
  const pathOf = (span: ReceivedSpan | undefined): string[] =>
    span === undefined ? [] : [span.name, ...pathOf(byId.get(span.parentSpanId))];
  const paths = spans.map(pathOf);
  const REQUEST = ['mutation synthesizeAudio', 'POST /graphql'];
  const JOB = ['process synthesize-audio', ...REQUEST];
  for (const path of [
    ['ledger batch', 'ledger command', ...REQUEST],
    ['BEGIN', 'ledger batch', 'ledger command', ...REQUEST],
    ['COMMIT', 'ledger batch', 'ledger command', ...REQUEST],
    JOB,
    ['speech speak', ...JOB],
    ['storage finish', ...JOB],
    ['COMMIT', ...JOB],
  ])
    expect(paths).toContainEqual(path);
  expect(paths.filter((path) => path.at(-1) !== 'POST /graphql')).toEqual([]);
  expect(spans.filter(({ name }) => name === 'POST /graphql').length).toBe(1);
  const charge = spans.find(({ name }) => name.includes('INSERT credit_transactions'));
  expect(pathOf(charge).slice(1)).toEqual(['ledger batch', 'ledger command', ...REQUEST]);

  const job = jobOf();
  const operation = spans.find(({ name }) => name === 'mutation synthesizeAudio');
  expect(job?.links.map(({ spanId }) => spanId)).toEqual([operation?.spanId]);
  // The lines name the spans that they were written in.
  expect(ready?.['spanId']).toBe(job?.spanId);
  expect(lineOf('points-moved', audioId)).toMatchObject({ traceId });
  expect(spansOf(lineOf('points-moved', audioId)?.['traceId']).map(({ name }) => name)).toContain(
    'ledger command',
  );
  expect(receiver.headers()['x-key']).toBe(SECRET_HEADER);
  expect(receiver.bodies()).toContain('"tales"');
});

test('requests that are settled in one batch are linked to it', async () => {
  const listeners = await Promise.all(Array.from({ length: 6 }, () => newListener(url)));
  const story = await newStory(url, admin);
  const asked = await Promise.all(
    listeners.map((listener) => narrate(url, listener, story.id, voice)),
  );
  await until('each debit is logged', () =>
    asked.every(({ audioId }) => lineOf('points-moved', audioId) !== undefined),
  );
  const traces = asked.map(({ audioId }) => lineOf('points-moved', audioId)?.['traceId']);
  /** The commands that a batch is below, or linked to. */
  const settled = (): Set<unknown> => {
    const batches = receiver.spans().filter(({ name }) => name === 'ledger batch');
    return new Set(
      batches.flatMap(({ traceId, links }) => [traceId, ...links.map((l) => l.traceId)]),
    );
  };
  await until('each has its batch', () => traces.every((trace) => settled().has(trace)));
  for (const [index, { audioId }] of asked.entries()) {
    await waitForAudio(url, listeners[index] ?? admin, audioId);
    await until('it is ready', () => lineOf('narration-ready', audioId) !== undefined);
    // Each job names the request of its own listener, although one request has run the batch for all.
    const requested = lineOf('narration-requested', audioId);
    expect(requested?.['requestId']).toEqual(expect.any(String));
    expect(lineOf('narration-ready', audioId)).toMatchObject({
      requestId: requested?.['requestId'],
      traceId: requested?.['traceId'],
    });
  }
});

test('a request can be followed by its id to the ledger and the worker', async () => {
  const { audioId, requestId } = await narrated(textOf(100));
  await until('the request is logged', () => events(linesOf(requestId)).includes('http-request'));
  const followed = linesOf(requestId);
  expect(events(followed).sort()).toEqual([
    'http-request',
    'narration-ready',
    'narration-requested',
    'points-moved',
  ]);
  const [http] = followed.filter(({ event }) => event === 'http-request');
  expect(http).toMatchObject({
    level: 'info',
    method: 'POST',
    route: '/graphql',
    status: 200,
    complete: true,
    durationMs: expect.any(Number),
    userId: followed.find(({ event }) => event === 'points-moved')?.['userId'],
  });
  const job = followed.find(({ event }) => event === 'narration-ready');
  expect(job).toMatchObject({ audioId, queue: 'synthesize-audio', jobId: expect.any(String) });
});

test('a narration that fails can be followed to its refund', async () => {
  const { requestId } = await narrated('… ?! …');
  await until('the request is logged', () => events(linesOf(requestId)).includes('http-request'));
  const moved = linesOf(requestId).filter(({ event }) => event === 'points-moved');
  expect(moved.map(({ type, queue }) => [type, queue])).toEqual([
    ['DEBIT', undefined],
    ['REFUND', 'synthesize-audio'],
  ]);
  expect(events(linesOf(requestId))).toEqual(
    expect.arrayContaining(['narration-try-failed', 'narration-failed']),
  );
});

test('so can one whose retries are used up, although another queue refunds it', async () => {
  const folder = join(talebank.dataDir, 'audio');
  await rm(folder, { recursive: true });
  await writeFile(folder, 'no folder, so that nothing can be stored');
  const { requestId, audioId } = await narrated(textOf(80));
  await rm(folder);
  await mkdir(folder, { mode: 0o700 });
  const moved = linesOf(requestId).filter(({ event }) => event === 'points-moved');
  expect(moved.map(({ type, queue }) => [type, queue])).toEqual([
    ['DEBIT', undefined],
    ['REFUND', 'fail-audio'],
  ]);
  const { traceId } = lineOf('narration-requested', audioId) ?? {};
  await until('both jobs are exported', () =>
    ['process synthesize-audio', 'process fail-audio'].every((job) =>
      spansOf(traceId).some(({ name }) => name === job),
    ),
  );
  const failed = spansOf(traceId).find(({ name }) => name === 'process synthesize-audio');
  expect(failed?.status).toBe(2);
  expect(failed?.attributes['error.type']).toBe('ENOTDIR');
});

test('probes are logged at level debug, and a request that is refused has its line too', async () => {
  const asked = await fetch(`${url}/healthz`);
  expect(asked.status).toBe(200);
  await fetch(`${url}/nothing-here?signature=canary-of-a-path`);
  await until('both are logged', () => {
    const seen = lines();
    return (
      seen.some(({ event, route }) => event === 'http-probe' && route === '/healthz') &&
      seen.some(({ event, status }) => event === 'http-request' && status === 404)
    );
  });
  expect(lines().find(({ event }) => event === 'http-probe')?.['level']).toBe('debug');
  const missing = lines().find(({ event, status }) => event === 'http-request' && status === 404);
  expect(missing?.['route']).toBeNull();
  expect(talebank.server.output() + receiver.bodies()).not.toContain('canary-of-a-path');
});

test('an incoming traceparent of a stranger is a link, and the request begins a trace of its own', async () => {
  const traceId = randomBytes(16).toString('hex');
  const parent = randomBytes(8).toString('hex');
  const headers = { traceparent: `00-${traceId}-${parent}-00` };
  await send(url, '{ stories(first: 1) { nodes { id } } }', {}, { headers });
  const linked = (): ReceivedSpan | undefined =>
    receiver.spans().find(({ links }) => links.some((link) => link.traceId === traceId));
  await until('it is exported', () => linked() !== undefined);
  const request = linked();
  expect(request?.name).toBe('POST /graphql');
  expect(request?.parentSpanId).toBe('');
  expect(request?.links.map(({ spanId }) => spanId)).toEqual([parent]);
  expect(spansOf(traceId)).toEqual([]);
  for (const wrong of [
    '',
    'x',
    `00-${'0'.repeat(32)}-${parent}-01`,
    `ff-${traceId}-${parent}-01`,
  ]) {
    const { status } = await send(url, '{ __typename }', {}, { headers: { traceparent: wrong } });
    expect(status).toBe(200);
  }
});

test('spans hold no secret, no address, no text, and no value of a statement or a variable', async () => {
  const canary = (): string => `canary${randomBytes(8).toString('hex')}`;
  const [password, name, title, content, operation, key] = Array.from({ length: 6 }, canary);
  const email = `${canary()}@example.com`;
  const input = { email, password: password ?? '', displayName: name ?? '' };
  const { register } = await ask(url, Register, { input });
  const signedIn = await ask(url, Login, { input: { email, password: password ?? '' } });
  const story = await newStory(url, admin, { title: title ?? '', content: `A ${content ?? ''}.` });
  await send(
    url,
    `mutation ${operation ?? ''} ($story: ID!, $voice: ID!) { synthesizeAudio(input: { storyId: $story, voiceId: $voice, idempotencyKey: "${key ?? ''}" }) { balance } }`,
    { story: story.id, voice },
    {
      token: register.accessToken,
      headers: { cookie: `a=${canary()}`, baggage: `a=${key ?? ''}` },
    },
  );
  const before = receiver.exports();
  await until('the spans are exported', () => receiver.exports() > before);
  await until('all are exported', () => spansOf(lines().at(-1)?.['traceId']).length > 0);
  const secrets = [email, password, name, title, content, operation, key, SECRET_HEADER];
  secrets.push(register.accessToken, register.refreshToken ?? '-', signedIn.login.accessToken);
  const sent = receiver.bodies();
  expect(sent.length).toBeGreaterThan(10_000);
  expect(secrets.filter((secret) => secret === undefined || sent.includes(secret))).toEqual([]);
  expect(sent).not.toContain('@example.com');
  const known = /^(?:http|talebank|db|graphql|messaging|error)\./;
  const names = receiver.spans().flatMap(({ attributes }) => Object.keys(attributes));
  expect(names.filter((one) => !known.test(one))).toEqual([]);
});

test('neither a refusing nor a silent receiver affects requests or the stop', async () => {
  const unwilling = await startOtlpReceiver();
  const server = await talebank.join({
    ROLE: 'api',
    OTEL_EXPORTER_OTLP_ENDPOINT: unwilling.url,
  });
  const asks = async (): Promise<void> => {
    const answers = Array.from({ length: 20 }, () => send(server.url, '{ __typename }', {}));
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([200]));
  };
  unwilling.behave('fail');
  await asks();
  await until('the failure is logged', () =>
    server.logs().some(({ event }) => event === 'traces-not-exported'),
  );
  unwilling.behave('hang');
  const before = unwilling.exports();
  await asks();
  await until('an export hangs', () => unwilling.exports() > before);
  await asks();
  await server.stop();
  expect(server.child.exitCode).toBe(0);
  await unwilling.close();
});

test('more spans than a receiver takes are dropped, and a receiver that is not there delays nothing', async () => {
  const { createTracer } = await compiled<typeof Sdk>('infra/tracing/sdk.js');
  const tracer = createTracer(config(), silent);
  for (let count = 0; count < 20_000; count += 1) tracer.begin({ name: 'a' }).end();
  await tracer.stop();
});

test('the settings are OpenTelemetry’s own, and a wrong one names itself', async () => {
  const { readConfig } = await compiled<typeof ConfigModule>('config.js');
  const OTEL_EXPORTER_OTLP_ENDPOINT = 'http://localhost:4318/';
  const tracingOf = (more: Record<string, string>): TracingConfig | null =>
    readConfig({ OTEL_EXPORTER_OTLP_ENDPOINT, ...more }).tracing;
  expect(readConfig({}).tracing).toBeNull();
  expect(tracingOf({})).toEqual(
    config({ url: 'http://localhost:4318/v1/traces', serviceName: 'talebank' }),
  );
  const ratio = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' };
  expect(tracingOf({ ...ratio, TRUST_TRACEPARENT: 'true' })).toMatchObject({
    sampled: 0.1,
    trustsParent: true,
  });
  expect(tracingOf({ OTEL_TRACES_SAMPLER: 'always_off', TRUST_TRACEPARENT: 'true' })).toMatchObject(
    {
      sampled: 0,
      trustsParent: false,
    },
  );
  expect(tracingOf({ OTEL_EXPORTER_OTLP_HEADERS: 'a=Bearer%20x=y, b=2' })?.headers).toEqual({
    a: 'Bearer x=y',
    b: '2',
  });
  for (const [name, value] of [
    ['OTEL_EXPORTER_OTLP_ENDPOINT', 'localhost:4318'],
    ['OTEL_TRACES_SAMPLER', 'sometimes'],
    ['OTEL_TRACES_SAMPLER_ARG', '1.5'],
    ['OTEL_TRACES_SAMPLER_ARG', '0.5'],
    ['OTEL_SERVICE_NAME', 'a b'],
  ] as const)
    expect(() => tracingOf({ [name]: value })).toThrow(new RegExp(`^${name} is `));
  expect(() => tracingOf({ OTEL_EXPORTER_OTLP_HEADERS: 'canary' })).toThrow(
    /^OTEL_EXPORTER_OTLP_HEADERS is a value, but must be headers/,
  );
});

type Factory = Parameters<typeof Statements.traceStatements>[0];
const silent = { warn: () => undefined } as unknown as Logger;
const config = (changes: Partial<TracingConfig> = {}): TracingConfig => ({
  url: 'http://127.0.0.1:1/v1/traces',
  headers: {},
  serviceName: 'tales',
  sampled: 1,
  trustsParent: false,
  ...changes,
});

test("a stranger's flag neither forces nor prevents recording, and neither does the chosen id", async () => {
  const { createTracer } = await compiled<typeof Sdk>('infra/tracing/sdk.js');
  const [all, tenth, none] = [1, 0.1, 0].map((sampled) =>
    createTracer(config({ sampled }), silent),
  );
  // The lowest id is within every part for a sampler that looks at the id.
  const sent = (flag: string, id = `${'0'.repeat(31)}1`): string =>
    `00-${id}-00f067aa0ba902b7-${flag}`;
  const records = (tracer: typeof all, traceparent: string, isOurs = false): boolean =>
    tracer?.begin({ name: 'a', traceparent, isOurs }).isRecording() ?? false;
  expect(records(none, sent('01'))).toBe(false);
  expect(records(all, sent('00'))).toBe(true);
  const chosen = Array.from({ length: 2_000 }, () => records(tenth, sent('01'))).filter(Boolean);
  expect(chosen.length).toBeGreaterThan(100);
  expect(chosen.length).toBeLessThan(400);
  // The same with the id of the trace.
  const ids = [false, true].map(
    (isOurs) => all?.begin({ name: 'a', traceparent: sent('01'), isOurs }).traceId,
  );
  expect(ids[0]).not.toBe(ids[1]);
  expect(ids[1]).toBe(`${'0'.repeat(31)}1`);
  // Our own flag decides: that of a job, or of a proxy that TRUST_TRACEPARENT trusts.
  expect(records(none, sent('01'), true)).toBe(true);
  expect(records(all, sent('00'), true)).toBe(false);
  for (const tracer of [all, tenth, none]) await tracer?.stop();
});

test('long statements are not kept in memory', async () => {
  const { startTracing } = await compiled<typeof Tracing>('infra/tracing/tracing.js');
  const { traceStatements } = await compiled<typeof Statements>('infra/tracing/statements.js');
  const stop = await startTracing(config(), silent);
  const answers = { queryRaw: () => Promise.resolve(), startTransaction: () => Promise.resolve() };
  const adapter = { ...answers, executeRaw: () => Promise.resolve(1) };
  const factory = { connect: () => Promise.resolve(adapter) };
  const traced = await traceStatements(factory as unknown as Factory).connect();
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let count = 0; count < 1_000; count += 1) {
    // A text in one piece, as Prisma hands it over.
    const sql = Buffer.alloc(80_000, `SELECT ${String(count)} FROM stories `).toString('latin1');
    await traced.queryRaw({ sql, args: [], argTypes: [] });
  }
  collect();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(40_000_000);
  await stop();
});

test('without an endpoint, nothing is wrapped', async () => {
  const { traceStatements } = await compiled<typeof Statements>('infra/tracing/statements.js');
  const { traceSpeech, traceStorage } = await compiled<typeof Calls>('infra/tracing/calls.js');
  const connect = (): never => {
    throw new Error('not called');
  };
  const factory = { connect } as unknown as Factory;
  expect(Object.values(traceStatements(factory))).toEqual([connect]);
  const storage = {} as Parameters<typeof traceStorage>[0];
  expect(traceStorage(storage, 'local')).toBe(storage);
  const speech = {} as Parameters<typeof traceSpeech>[0];
  expect(traceSpeech(speech)).toBe(speech);
});
