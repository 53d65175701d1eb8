import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ApolloServer } from '@apollo/server';
import fastifyApollo from '@as-integrations/fastify';
import autocannon from 'autocannon';
import fastify from 'fastify';
import { print } from './support.ts';

interface Running {
  readonly url: string;
  readonly child: ChildProcess;
  readonly folder: string;
  readonly startMs: number;
  stop(): Promise<void>;
}

/** The whole product, as `npm start` runs it, on an empty folder. */
async function startProduct(): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), 'talebank-bench-'));
  const startedAt = performance.now();
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('../dist/main.js', import.meta.url))],
    {
      env: {
        PATH: process.env['PATH'],
        PORT: '0',
        LOG_FORMAT: 'json',
        DATA_DIR: folder,
        RATE_LIMIT_FACTOR: '1000000',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', (code) => {
      reject(new Error(`The server ended with ${String(code)}.`));
    });
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      const found = /"url":"([^"]+)".*"msg":"listening"/.exec(output)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  const stop = async (): Promise<void> => {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  await ask(url, '{ stories(first: 1) { nodes { title } } }');
  return { url, child, folder, startMs: performance.now() - startedAt, stop };
}

async function ask<Data>(
  url: string,
  query: string,
  variables: object = {},
  token = '',
): Promise<Data> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: Data; errors?: unknown };
  if (errors !== undefined) throw new Error(JSON.stringify(errors));
  return data;
}

/** Resident memory of a process and all below it, in megabytes, shared pages counted once (Pss). */
async function memoryOf(pid: number): Promise<{ rss: number; pss: number }> {
  const children = await readFile(
    `/proc/${String(pid)}/task/${String(pid)}/children`,
    'utf8',
  ).catch(() => '');
  const sums = { rss: 0, pss: 0 };
  const rollup = await readFile(`/proc/${String(pid)}/smaps_rollup`, 'utf8').catch(() => '');
  sums.rss += Number(/^Rss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0) / 1024;
  sums.pss += Number(/^Pss:\s+(\d+)/m.exec(rollup)?.[1] ?? 0) / 1024;
  for (const child of children
    .trim()
    .split(' ')
    .filter((one) => one !== '')) {
    const below = await memoryOf(Number(child));
    sums.rss += below.rss;
    sums.pss += below.pss;
  }
  return sums;
}

interface Narrated {
  readonly seconds: number;
  readonly speechSeconds: number;
}

async function narrate(
  url: string,
  admin: string,
  length: number,
  watch: () => Promise<void>,
): Promise<Narrated> {
  const words = 'The moon went over the hill and looked into every window. ';
  const content =
    `${String(Math.random())} ${words.repeat(Math.ceil(length / words.length))}`.slice(0, length);
  const input = { title: 'Bench', author: 'Talebank', language: 'en', published: true, content };
  const { createStory } = await ask<{ createStory: { id: string } }>(
    url,
    'mutation ($input: StoryInput!) { createStory(input: $input) { id } }',
    { input },
    admin,
  );
  const { voices } = await ask<{ voices: { id: string }[] }>(
    url,
    '{ voices(language: "en") { id } }',
  );
  const startedAt = performance.now();
  const { synthesizeAudio } = await ask<{ synthesizeAudio: { audio: { id: string } } }>(
    url,
    'mutation ($input: SynthesizeAudioInput!) { synthesizeAudio(input: $input) { audio { id } } }',
    { input: { storyId: createStory.id, voiceId: voices[0]?.id } },
    admin,
  );
  for (;;) {
    const { audio } = await ask<{ audio: { status: string; durationSeconds: number } }>(
      url,
      'query ($id: ID!) { audio(id: $id) { status durationSeconds } }',
      { id: synthesizeAudio.audio.id },
      admin,
    );
    if (audio.status === 'READY') {
      return {
        seconds: (performance.now() - startedAt) / 1000,
        speechSeconds: audio.durationSeconds,
      };
    }
    if (audio.status === 'FAILED') throw new Error('The narration failed.');
    await watch();
    await sleep(20);
  }
}

/** The gaps between answers of /healthz, asked back to back: a stalled event loop shows as a long one. */
async function longestGap(url: string, until: Promise<unknown>): Promise<number> {
  const state = { done: false, longest: 0 };
  void until.finally(() => {
    state.done = true;
  });
  while (!state.done) {
    const startedAt = performance.now();
    await (await fetch(`${url}/healthz`)).text();
    state.longest = Math.max(state.longest, performance.now() - startedAt);
    await sleep(2);
  }
  return state.longest;
}

/** The same Apollo behind the same Fastify, answering a constant. */
async function startConstant(): Promise<{ url: string; close(): Promise<void> }> {
  const apollo = new ApolloServer({
    typeDefs: 'type Query { hello: String! }',
    resolvers: { Query: { hello: () => 'world' } },
  });
  await apollo.start();
  const server = fastify();
  await server.register(fastifyApollo(apollo));
  const url = await server.listen({ port: 0, host: '127.0.0.1' });
  return { url, close: () => server.close() };
}

async function requestsPerSecond(url: string, query: string, token = ''): Promise<number> {
  const result = await autocannon({
    url: `${url}/graphql`,
    method: 'POST',
    connections: 16,
    duration: 4,
    headers: {
      'content-type': 'application/json',
      ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query }),
  });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${String(result.non2xx)} refusals of ${query}`);
  return result.requests.average;
}

const WALLET =
  '{ me { credits { balance } creditHistory(first: 20) { nodes { seq type amount allocations { amount lot { source } } story { title } } } } }';
const LIBRARY = '{ stories(first: 20) { nodes { title requiredCredits } } }';

export async function benchServer(): Promise<void> {
  print('\nThe whole product, on an empty folder');
  const product = await startProduct();
  const { url, child } = product;
  try {
    print(`  start to first answer                       ${(product.startMs / 1000).toFixed(1)} s`);
    const { register } = await ask<{ register: { accessToken: string } }>(
      url,
      'mutation { register(input: { email: "bench@example.com", password: "a good password" }) { accessToken } }',
    );
    const admin = await becomeAdministrator(url, product.folder);
    await benchSpeech(url, admin, child.pid ?? 0);
    await benchRequests(url, register.accessToken);
  } finally {
    await product.stop();
  }
}

async function becomeAdministrator(url: string, folder: string): Promise<string> {
  const password = (await readFile(join(folder, 'administrator-password'), 'utf8')).trim();
  const { login } = await ask<{ login: { accessToken: string; user: { id: string } } }>(
    url,
    'mutation ($password: String!) { login(input: { email: "admin@talebank.local", password: $password }) { accessToken user { id } } }',
    { password },
  );
  const input = {
    userId: login.user.id,
    amount: 1000,
    source: 'FREE',
    reason: 'bench',
    idempotencyKey: 'bench',
  };
  await ask(
    url,
    'mutation ($input: GrantCreditsInput!) { grantCredits(input: $input) { replayed } }',
    { input },
    login.accessToken,
  );
  return login.accessToken;
}

async function benchSpeech(url: string, admin: string, pid: number): Promise<void> {
  let peak = { rss: 0, pss: 0 };
  const watch = async (): Promise<void> => {
    const now = await memoryOf(pid);
    peak = { rss: Math.max(peak.rss, now.rss), pss: Math.max(peak.pss, now.pss) };
  };
  const quiet = (): Promise<void> => Promise.resolve();
  await narrate(url, admin, 1000, quiet);
  const runs = [];
  for (let run = 0; run < 5; run += 1) runs.push((await narrate(url, admin, 1000, quiet)).seconds);
  print(
    `  1,000 characters, asking → READY            ${runs.map((run) => run.toFixed(2)).join(', ')} s`,
  );
  const long = narrate(url, admin, 20_000, quiet);
  const gap = await longestGap(url, long);
  print(`  longest answer of /healthz while speaking   ${gap.toFixed(0)} ms`);
  const { seconds, speechSeconds } = await long;
  print(
    `  speaking 20,000 characters                  × ${(speechSeconds / seconds).toFixed(0)} of listening (${speechSeconds.toFixed(0)} s in ${seconds.toFixed(1)} s)`,
  );
  const both = await Promise.all([
    narrate(url, admin, 20_000, watch),
    narrate(url, admin, 20_001, watch),
  ]);
  const made =
    both.reduce((sum, one) => sum + one.speechSeconds, 0) /
    Math.max(...both.map((one) => one.seconds));
  print(`  two at once                                 × ${made.toFixed(0)}`);
  print(
    `  resident memory of all processes at most    ${peak.rss.toFixed(0)} MB (${peak.pss.toFixed(0)} MB with shared pages counted once)`,
  );
}

async function benchRequests(url: string, listener: string): Promise<void> {
  print('\nGraphQL requests a second, 16 connections');
  const constant = await startConstant();
  const hello = await requestsPerSecond(constant.url, '{ hello }');
  await constant.close();
  print(`  Apollo answering a constant (this process)  ${hello.toFixed(0)}/s`);
  for (const [name, query, token] of [
    ['stories(first: 20)', LIBRARY, ''],
    ['me { credits creditHistory(first: 20) }', WALLET, listener],
  ] as const) {
    const rate = await requestsPerSecond(url, query, token);
    print(`  ${name.padEnd(43)} ${rate.toFixed(0)}/s  × ${(rate / hello).toFixed(2)}`);
  }
}
