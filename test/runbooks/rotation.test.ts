import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { V8_FLAGS } from '../support/machine.js';
import { operate } from '../support/cluster.js';
import { startDebianPostgres, type DebianPostgres } from '../support/debian-postgres.js';
import { expectSoundLedger } from '../support/invariants.js';
import { administrator, englishVoice, newStory, waitForAudio } from '../support/people.js';
import { createDoors, startLoad } from '../support/rolling.js';
import { readRunbooks } from '../support/runbooks.js';
import { startSpeechServer, type SpeechServer } from '../support/speech-server.js';
import { ADMIN, startServer, type Environment, type ServerProcess } from '../support/talebank.js';

const KEYS = 'dist/cli/keys.js';
const [OLD_TOKEN, NEW_TOKEN] = ['the-old-token-of-metrics', 'the-new-token-of-metrics'];

let postgres: DebianPostgres;
let provider: SpeechServer;
let dataDir: string;
/** The keys that the speech provider accepts. */
let accepted = ['old-key'];
const processes: ServerProcess[] = [];

beforeAll(async () => {
  postgres = await startDebianPostgres();
  provider = await startSpeechServer({ kind: 'openai' });
  provider.behave(({ headers }, response) => {
    const [, key = ''] = (headers.authorization ?? '').split(' ');
    if (accepted.includes(key)) return 'good';
    response.writeHead(401).end('{}');
    return undefined;
  });
  dataDir = await mkdtemp(join(tmpdir(), 'talebank-rotation-'));
});
afterAll(async () => {
  await Promise.all(processes.map((one) => one.stop()));
  await postgres.close();
  await provider.close();
  await rm(dataDir, { recursive: true, force: true });
});

/** Runs the block of the page in which a command is. */
async function follow(words: string, environment: Environment): Promise<void> {
  const page = readRunbooks().find(({ name }) => name === 'rotating-secrets.md');
  const block = page?.blocks.find(
    ({ text, language }) => language === 'sh' && text.includes(words),
  );
  if (block === undefined) throw new Error(`No block of the page has ${words}.`);
  const path = `${postgres.programs}:/usr/bin:/bin`;
  const shell = spawn('sh', ['-eu'], {
    env: { PATH: path, SUPERUSER_URL: postgres.superuserUrl, ...environment },
  });
  let said = '';
  for (const stream of [shell.stdout, shell.stderr])
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  shell.stdin.end(block.text);
  const code = await new Promise((resolve) => shell.once('close', resolve));
  if (code !== 0) throw new Error(`It ended with ${String(code)}:\n${block.text}\n${said}`);
}

const keys = (args: readonly string[], databaseUrl = ''): Promise<string> =>
  new Promise((resolve, reject) => {
    const env = { PATH: process.env['PATH'] ?? '', DATABASE_URL: databaseUrl };
    execFile(process.execPath, [...V8_FLAGS, KEYS, ...args], { env }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(new Error(error.message));
    });
  });

async function madeKeys(command: string): Promise<object[]> {
  return JSON.parse(await keys([command])) as object[];
}

test('every secret is rotated under load, and no request is refused', async () => {
  const [first, second] = await madeKeys('make');
  const [third] = await madeKeys('make');
  const [oldAnchor] = await madeKeys('make-anchor');
  const [newAnchor] = await madeKeys('make-anchor');
  const oldUrl = postgres.urlOf('talebank');
  const address = new URL(oldUrl);
  address.username = 'talebank_next';
  address.password = 'new password';
  const newUrl = address.href;
  const settings: Environment = {
    DATA_DIR: dataDir,
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
    SPEECH_PROVIDER: 'openai',
    OPENAI_BASE_URL: provider.url,
    OPENAI_TTS_VOICES: 'alloy',
    SYNTHESIS_RETRIES: '0',
    INITIAL_CREDITS: '1000',
    METRICS_PORT: '0',
  };
  const before: Environment = {
    DATABASE_URL: oldUrl,
    OPENAI_API_KEY: 'old-key',
    METRICS_TOKEN: OLD_TOKEN,
    JWT_PRIVATE_KEYS: JSON.stringify([first, second]),
    ANCHOR_PRIVATE_KEYS: JSON.stringify([oldAnchor]),
  };
  const renewed: Environment = {
    DATABASE_URL: newUrl,
    OPENAI_API_KEY: 'new-key',
    METRICS_TOKEN: NEW_TOKEN,
    ANCHOR_PRIVATE_KEYS: JSON.stringify([newAnchor, oldAnchor]),
  };
  const between: Environment = {
    ...renewed,
    METRICS_PREVIOUS_TOKEN: OLD_TOKEN,
    JWT_PRIVATE_KEYS: JSON.stringify([second, first, third]),
  };
  const after: Environment = { ...renewed, JWT_PRIVATE_KEYS: JSON.stringify([second, third]) };
  const doors = createDoors();
  const open = async (environment: Environment): Promise<ServerProcess> => {
    const server = await startServer({ ...settings, ...environment });
    processes.push(server);
    doors.add(server);
    return server;
  };
  let running = [await open(before), await open(before)];
  /** Restarts the processes one after the other. */
  const restart = async (environment: Environment): Promise<void> => {
    const next: ServerProcess[] = [];
    for (const server of running) {
      await doors.stop(server);
      next.push(await open(environment));
    }
    running = next;
  };
  const [{ url } = { url: '' }] = running;
  const admin = await administrator(url);
  const voiceId = await englishVoice(url);
  const stories: string[] = [];
  for (let count = 0; count < 20; count += 1) stories.push((await newStory(url, admin)).id);

  let prometheusToken = OLD_TOKEN;
  const metricsOf = (at: string): string => {
    const server = processes.find((one) => one.url === at);
    const line = server?.logs().find(({ msg }) => msg === 'listening');
    return String(line?.['metricsUrl']);
  };
  const scrape = async (at: string): Promise<string> => {
    const headers = { authorization: `Bearer ${prometheusToken}`, connection: 'close' };
    const { status } = await fetch(`${metricsOf(at)}/metrics`, { headers });
    return status === 200 ? 'ok' : String(status);
  };
  const load = startLoad(doors, { stories, voiceId, admin }, scrape);
  await load.round();

  // The keys in the database, without a restart.
  const database = operate(oldUrl);
  await database.sql(`UPDATE secrets SET created_at = created_at - interval '1 year'`);
  expect(await keys(['rotate-addresses'], oldUrl)).toContain('is valid until');
  await load.round();

  // What is in the environment, while the old ones are accepted.
  accepted = ['old-key', 'new-key'];
  await follow('CREATE ROLE', {
    NEXT_ROLE: 'talebank_next',
    NEXT_PASSWORD: 'new password',
    OWNER_ROLE: 'talebank',
  });
  await restart(between);
  await load.round();

  // The old ones are closed.
  prometheusToken = NEW_TOKEN;
  accepted = ['new-key'];
  await database.close();
  await follow('NOLOGIN', { PREVIOUS_ROLE: 'talebank' });
  await load.round();
  await restart(after);
  await load.round();
  await load.stop();

  const outcomes = [...load.answers.keys()].sort();
  expect(outcomes).toEqual(
    ['file', 'grant', 'me', 'more', 'narrate', 'refresh', 'statement'].map((name) => `${name} ok`),
  );
  const asNew = operate(newUrl);
  try {
    for (const { audioId, person } of load.narrated.slice(-20))
      expect((await waitForAudio(running[0]?.url ?? '', person, audioId)).status).toBe('READY');
    const [failed] = await asNew.sql<{ count: number }>(
      `SELECT count(*)::int FROM audios WHERE status NOT IN ('READY', 'QUEUED', 'PROCESSING')`,
    );
    expect(failed?.count).toBe(0);
    await expectSoundLedger(asNew);
    // What the new role has made belongs to the owner of everything else.
    const owners = await asNew.sql(
      `SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname IN ('public', 'pgboss')`,
    );
    expect(owners).toEqual([{ tableowner: 'talebank' }]);
  } finally {
    await asNew.close();
  }
  const old = operate(oldUrl);
  await expect(old.sql('SELECT 1')).rejects.toThrow(/password authentication failed/);
  await old.close();
  console.info(Object.fromEntries(load.answers));
});
