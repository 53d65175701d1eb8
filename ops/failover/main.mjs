/**
 * Failovers of a real cluster under load:
 *   npm run failover -- [--times 20] [--asynchronous] [--pgbouncer]
 * Two API processes work on a Patroni cluster, and the primary is killed again and again. Nothing that was acknowledged may
 * be missing afterwards, no process may end, and meanwhile the only error is BUSY. With --asynchronous, commits do not
 * wait for a standby: that is the control, which must lose something, and lists it. With --pgbouncer, the processes connect
 * through PgBouncer in session mode.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startCluster, until } from './cluster.mjs';

const { AbortSignal, fetch } = globalThis;
const { values } = parseArgs({
  options: {
    times: { type: 'string', default: '20' },
    asynchronous: { type: 'boolean', default: false },
    pgbouncer: { type: 'boolean', default: false },
  },
});
const TIMES = Number(values.times);
const CLIENTS = 8;
/** How long the standbys receive nothing before the primary is killed. */
const CUT_MS = 1_000;
const ADMIN = { email: 'admin@example.com', password: 'administrator' };
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const say = (text) => process.stdout.write(`${text}\n`);

async function query(connectionString, text, parameters) {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  return client.query(text, parameters).finally(() => client.end());
}

function startServer(environment) {
  const child = spawn(process.execPath, ['dist/main.js'], {
    cwd: ROOT,
    env: { PATH: process.env.PATH, LOG_FORMAT: 'json', PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  const listening = new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`A server ended with ${code}:\n${output}`)));
    child.stdout.on('data', (chunk) => {
      output = (output + chunk).slice(-20_000);
      const url = /"event":"listening","url":"([^"]+)"/.exec(output)?.[1];
      if (url !== undefined) resolve(url);
    });
  });
  return { child, listening };
}

async function send(url, text, variables, token) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query: text, variables }),
    signal: AbortSignal.timeout(60_000),
  });
  return response.json();
}

/** The acknowledged operations, and the error codes of the others. */
const told = { debits: [], grants: [], lostStories: 0, codes: new Map(), longestMs: 0 };

/** Repeats an operation until it succeeds, as clients do while it is BUSY. */
async function persist(urls, text, variables, token) {
  const begun = performance.now();
  for (let tries = 0; ; tries += 1) {
    const url = urls[tries % urls.length];
    const answer = await send(url, text, variables, token).catch((error) => ({
      errors: [{ message: String(error), extensions: { code: `no answer: ${error.name}` } }],
    }));
    if (answer.errors === undefined) {
      told.longestMs = Math.max(told.longestMs, performance.now() - begun);
      return answer.data;
    }
    const { code } = answer.errors[0].extensions;
    told.codes.set(code, (told.codes.get(code) ?? 0) + 1);
    const isRequest = !/^(?:BUSY|INTERNAL|no answer)/.test(code);
    if (isRequest || performance.now() - begun > 120_000)
      throw Object.assign(new Error(JSON.stringify(answer.errors)), { code });
    await sleep(100);
  }
}

const GRANT = `mutation ($input: GrantCreditsInput!) { grantCredits(input: $input) { lot { id } } }`;
const STORY = `mutation ($input: StoryInput!) { createStory(input: $input) { id } }`;
const NARRATE = `mutation ($input: SynthesizeAudioInput!) {
  synthesizeAudio(input: $input) { audio { id } charge { seq } } }`;

const acknowledged = (list, userId, id) => list.push({ userId, id, at: new Date().toISOString() });

async function workOnce(key, { urls, admin, person, voiceId }) {
  const story = {
    title: key,
    author: 'Talebank',
    language: 'en',
    published: true,
    content: `The tide of ${key} came in.`,
  };
  const { createStory } = await persist(urls, STORY, { input: story }, admin);
  const input = { storyId: createStory.id, voiceId, idempotencyKey: key };
  const { synthesizeAudio } = await persist(urls, NARRATE, { input }, person.token);
  acknowledged(told.debits, person.id, synthesizeAudio.audio.id);
  const grant = { userId: person.id, amount: 1, source: 'ADD_ON', reason: 'A failover' };
  const granted = { input: { ...grant, idempotencyKey: key } };
  const { grantCredits } = await persist(urls, GRANT, granted, admin);
  acknowledged(told.grants, person.id, grantCredits.lot.id);
}

async function work(client, context) {
  for (let count = 1; !context.state.done; count += 1)
    await workOnce(`failover-${client}-${count}`, context).catch((error) => {
      // The story was acknowledged, and then lost with the primary.
      if (error.code !== 'NOT_FOUND' || !values.asynchronous) throw error;
      told.lostStories += 1;
    });
}

const idsOf = (list) => [list.map(({ userId }) => userId), list.map(({ id }) => id)];

/** @returns the acknowledged debits and grants that are missing, and the debits that were booked twice */
async function findMissing(url) {
  const { rows } = await query(
    url,
    `SELECT 'debits' AS what, id FROM unnest($1::uuid[], $2::uuid[]) d(user_id, id)
     WHERE NOT EXISTS (SELECT FROM credit_transactions t WHERE t.type = 'DEBIT'
       AND t.user_id = d.user_id AND t.audio_id = d.id)
     UNION ALL
     SELECT 'grants', id FROM unnest($3::uuid[], $4::uuid[]) g(user_id, id)
     WHERE NOT EXISTS (SELECT FROM credit_lots l WHERE l.user_id = g.user_id AND l.id = g.id)
     UNION ALL
     SELECT 'doubled', audio_id FROM credit_transactions WHERE type = 'DEBIT'
     GROUP BY user_id, audio_id HAVING count(*) > 1`,
    [...idsOf(told.debits), ...idsOf(told.grants)],
  );
  const of = (what) => rows.filter((row) => row.what === what).map(({ id }) => id);
  return { debits: of('debits'), grants: of('grants'), doubled: of('doubled') };
}

/** Lists what was lost, with the time at which it was acknowledged. */
function reportLost(lost) {
  for (const what of ['debits', 'grants'])
    for (const { userId, id, at } of told[what].filter((one) => lost[what].includes(one.id)))
      say(`lost of the ${what}: acknowledged at ${at}, user ${userId}, ${id}`);
}

const verify = (environment) =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ['dist/cli/ledger.js', 'verify'], {
      cwd: ROOT,
      env: { PATH: process.env.PATH, ...environment },
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    child.once('exit', resolve);
  });

async function prepare(urls) {
  const login = `mutation ($input: LoginInput!) { login(input: $input) { accessToken } }`;
  const admin = (await persist(urls, login, { input: ADMIN })).login.accessToken;
  const register = `mutation ($input: RegisterInput!) { register(input: $input) { accessToken user { id } } }`;
  const people = [];
  for (let client = 1; client <= CLIENTS; client += 1) {
    const input = { email: `client-${client}@example.com`, password: 'a good password' };
    const made = (await persist(urls, register, { input })).register;
    people.push({ id: made.user.id, token: made.accessToken });
  }
  const { voices } = await persist(urls, `{ voices(language: "en") { id } }`, {});
  return { admin, people, voiceId: voices[0].id };
}

async function failOverAll(cluster, urls) {
  const rounds = [];
  for (let round = 1; round <= TIMES; round += 1) {
    await cluster.whole();
    await sleep(1_000);
    const { victim, seconds, killedAt } = await cluster.failOver(CUT_MS);
    const promotedAt = performance.now();
    const before = told.debits.length;
    await until('a debit is acknowledged again', () => told.debits.length > before + CLIENTS);
    await until('every process is ready', async () => {
      const answers = await Promise.all(urls.map((url) => fetch(`${url}/readyz`)));
      return answers.every(({ ok }) => ok);
    });
    const afterwards = (performance.now() - promotedAt) / 1000;
    rounds.push({ seconds, afterwards });
    say(
      `${round}: ${killedAt} ${victim.name} killed, another primary after ${seconds.toFixed(1)} s, all processes work again ${afterwards.toFixed(1)} s later`,
    );
    cluster.bringBack(victim);
  }
  return rounds;
}

const cluster = await startCluster({
  synchronous: !values.asynchronous,
  pgbouncer: values.pgbouncer,
});
const dataDir = mkdtempSync(join(tmpdir(), 'talebank-failover-data-'));
const servers = [];
try {
  await cluster.whole();
  await query(cluster.superuserUrl, 'CREATE ROLE talebank LOGIN');
  await query(cluster.superuserUrl, 'CREATE DATABASE talebank OWNER talebank');
  const environment = {
    DATABASE_URL: cluster.urlOf('talebank'),
    DATA_DIR: dataDir,
    ROLE: 'api',
    SEED: 'false',
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
    INITIAL_CREDITS: '1000000',
    ACCESS_TOKEN_TTL: '86400',
    RATE_LIMIT_FACTOR: '100000',
  };
  for (let count = 0; count < 2; count += 1) {
    servers.push(startServer(environment));
    await servers.at(-1).listening;
  }
  const urls = await Promise.all(servers.map(({ listening }) => listening));
  const { admin, people, voiceId } = await prepare(urls);
  const state = { done: false };
  const working = people.map((person, client) =>
    work(client, { urls, admin, person, voiceId, state }),
  );
  const rounds = await Promise.race([
    failOverAll(cluster, urls),
    Promise.all(working).then(() => Promise.reject(new Error('The load ended.'))),
  ]);
  state.done = true;
  await Promise.all(working);
  await cluster.whole();

  const lost = await findMissing(cluster.urlOf('talebank'));
  reportLost(lost);
  const verified = await verify(environment);
  const ended = servers.filter(({ child }) => child.exitCode !== null || child.signalCode !== null);
  const most = (name) => Math.max(...rounds.map((round) => round[name])).toFixed(1);
  const others = [...told.codes].filter(([code]) => code !== 'BUSY');
  const how = [
    values.asynchronous ? 'asynchronous' : 'synchronous',
    ...(values.pgbouncer ? ['through PgBouncer'] : []),
  ].join(', ');
  say(
    `${TIMES} failovers, ${how}: ${told.debits.length} debits and ${told.grants.length} grants acknowledged, ` +
      `${lost.debits.length} and ${lost.grants.length} of them lost, and ${told.lostStories} stories; ${lost.doubled.length} debits booked twice; ` +
      `at most ${most('seconds')} s until another primary, and at most ${most('afterwards')} s more ` +
      `until all processes worked; the longest operation took ${(told.longestMs / 1000).toFixed(1)} s with its repetitions; ` +
      `${told.codes.get('BUSY') ?? 0} times BUSY, other errors: ${JSON.stringify(others)}; ${ended.length} processes ended; ` +
      `the ledger is ${verified === 0 ? 'sound' : 'not sound'}.`,
  );
  const losses = lost.debits.length + lost.grants.length;
  const isRight = losses === 0 && others.length === 0;
  const holds = (values.asynchronous ? losses > 0 : isRight) && lost.doubled.length === 0;
  process.exitCode = holds && ended.length === 0 && verified === 0 ? 0 : 1;
} finally {
  for (const { child } of servers) child.kill('SIGTERM');
  await Promise.all(
    servers.map(({ child }) => child.exitCode ?? new Promise((end) => child.once('exit', end))),
  );
  await cluster.close();
  rmSync(dataDir, { recursive: true, force: true });
}
process.exit();
