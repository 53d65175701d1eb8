import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import { asUserId } from '../../src/domain/ids.js';
import type * as Plan from '../../src/services/narrations/synthesis/plan.js';
import { openTestApp } from '../support/app.js';
import { ask, execute } from '../support/client.js';
import { MID_MONTH, operate } from '../support/cluster.js';
import { grant } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { startCrashablePostgres, type CrashablePostgres } from '../support/crashable-postgres.js';
import { until } from '../support/faults.js';
import { violations } from '../support/invariants.js';
import { readMp3 } from '../support/mp3.js';
import { CancelAudio, Narrate, RunMaintenance, Wallet } from '../support/operations.js';
import {
  administrator,
  newListener,
  newStory,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { answerWith, startSpeechServer, type SpeechServer } from '../support/speech-server.js';
import { ADMIN, startServer, type Environment, type ServerProcess } from '../support/talebank.js';

/**
 * Processes of the server, and Postgres, are killed at every point that could matter, and the next process repairs what
 * they leave. CRASH_ROUNDS says how often at each point; every fourth kill is one of Postgres.
 */
const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 1);
const POSTGRES_EVERY = 4;
const HOUR_MS = 3_600_000;
const ARMED = new URL('armed.mjs', import.meta.url).href;
const BUNDLE_ARMED = fileURLToPath(new URL('bundle-armed.mjs', import.meta.url));
/** The bundle is here, because it finds its packages in the folders above it. */
const CACHE = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url));

let postgres: CrashablePostgres;
let database: ReturnType<typeof operate>;
let provider: SpeechServer;
let dataDir: string;
/** The bundle of the server with the points in it. */
let bundle: string;
let app: OpenApp;
let api: ServerProcess;
const processes: ServerProcess[] = [];
let admin: Person;
let voiceId: string;
/** How often a text was asked for by a process that was killed before it could keep the answer. */
const lost = new Map<string, number>();
let clockMs = 0;

const environment = (): Environment => ({
  DATABASE_URL: postgres.url,
  DATA_DIR: dataDir,
  ADMIN_EMAIL: ADMIN.email,
  ADMIN_PASSWORD: ADMIN.password,
  SPEECH_PROVIDER: 'openai',
  OPENAI_BASE_URL: provider.url,
  OPENAI_TTS_VOICES: 'alloy',
  // So that of a killed process one sentence at most was on its way.
  SPEECH_CONCURRENCY: '1',
  SYNTHESIS_CONCURRENCY: '1',
  SYNTHESIS_RETRIES: '20',
  SYNTHESIS_RETRY_DELAY_SECONDS: '0',
  // A narration that an earlier kill left behind may meet the kills of later scenarios too.
  SYNTHESIS_DEATHS: '100',
  // Longer than the longest run.
  ACCESS_TOKEN_TTL: '86400',
});

beforeAll(async () => {
  await mkdir(CACHE, { recursive: true });
  [postgres, provider, dataDir, bundle] = await Promise.all([
    startCrashablePostgres(),
    startSpeechServer({ kind: 'openai' }),
    mkdtemp(join(tmpdir(), 'talebank-crashes-')),
    mkdtemp(join(CACHE, 'talebank-crashes-')),
  ]);
  await promisify(execFile)(process.execPath, [BUNDLE_ARMED, bundle]);
  database = operate(postgres.url);
  await database.startClock(MID_MONTH);
  api = await start('api');
  app = await openTestApp(database, environment());
  admin = await administrator(api.url);
  voiceId = 'openai-alloy';
});
afterAll(async () => {
  // Also those that a test which failed has left behind.
  await Promise.all(processes.map((one) => one.kill()));
  await app.close(1000);
  await database.close();
  await provider.close();
  await postgres.close();
  await rm(dataDir, { recursive: true, force: true });
  await rm(bundle, { recursive: true, force: true });
});

/** A narration that was requested, and may have been charged. */
interface Asked {
  /** How it must end. Null if the scenario requests no narration. */
  readonly end: 'READY' | 'FAILED' | 'CANCELLED' | null;
  readonly person: Person;
  readonly storyId: string;
  readonly key: string;
}
const everything: Asked[] = [];
let tales = 0;

/** Sentences of which no other story has any. */
async function prepare(end: Asked['end'], content?: string): Promise<Asked> {
  const number = String((tales += 1));
  const parts = Array.from(
    { length: 5 },
    (_, part) => `In tale ${number}, on page ${String(part + 1)}, the tide came in and went out.`,
  );
  const person = await newListener(api.url);
  const story = await newStory(api.url, admin, {
    title: `Tale ${number}`,
    content: content ?? parts.join(' '),
  });
  const asked = { end, person, storyId: story.id, key: `tale-${number}` };
  everything.push(asked);
  return asked;
}

const narrate = ({ person, storyId, key }: Asked, url = api.url): ReturnType<typeof execute> =>
  execute(
    url,
    Narrate,
    { input: { storyId, voiceId, idempotencyKey: key } },
    { token: person.token },
  );

async function audioOf(asked: Asked): Promise<string> {
  const { data } = await narrate(asked);
  return (data as { synthesizeAudio: { audio: { id: string } } }).synthesizeAudio.audio.id;
}

async function start(role: 'api' | 'worker', more: Environment = {}): Promise<ServerProcess> {
  const before = 'CRASH_AT' in more ? ARMED : undefined;
  const server = await startServer({ ...environment(), ROLE: role, ...more }, { before });
  processes.push(server);
  return server;
}

/** Starts a process that will stop at a point. */
async function arm(point: string, role: 'api' | 'worker'): Promise<ServerProcess> {
  const hit = point === 'file half written' ? '3' : '1';
  const { href } = pathToFileURL(join(bundle, 'main.js'));
  return start(role, { CRASH_AT: point, CRASH_HIT: hit, CRASH_BUNDLE: href });
}

const reached = ({ child }: ServerProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    child.once('message', () => {
      resolve();
    });
    child.once('exit', (code) => {
      reject(new Error(`It ended with ${String(code)} before the point.`));
    });
  });

/** Lets a process come to a point, and ends it there; or ends Postgres, and lets the process go on. */
async function crash(
  point: string,
  role: 'api' | 'worker',
  act: (url: string) => Promise<unknown>,
  victim: 'process' | 'postgres',
): Promise<void> {
  const armed = await arm(point, role);
  const atThePoint = reached(armed);
  const acting = act(armed.url).catch(() => undefined);
  await atThePoint;
  if (victim === 'process') {
    await armed.kill();
    await noteLost();
  } else {
    await postgres.crash();
    armed.child.send('go on');
    await until('the API is back', async () => (await fetch(`${api.url}/readyz`)).ok);
    await sleep(500);
    await armed.stop();
  }
  await acting;
}

type Victim = 'process' | 'postgres';
type Scenario = (victim: Victim) => Promise<void>;

/** A worker reaches the crash point with a requested narration. */
const making =
  (point: string, content?: string): Scenario =>
  async (victim) => {
    const asked = await prepare(content === undefined ? 'READY' : 'FAILED', content);
    await crash(point, 'worker', () => narrate(asked), victim);
    // It may have come to the point with what was left by another, while this was being asked for.
    await until('it is taken', async () => (await narrate(asked)).errors.length === 0);
  };

/** The API reaches the crash point. The client does not know the result, and repeats the request. */
const asking =
  (point: string): Scenario =>
  async (victim) => {
    const asked = await prepare('READY');
    await crash(point, 'api', (url) => narrate(asked, url), victim);
    await until('it is taken', async () => (await narrate(asked)).errors.length === 0);
  };

/** A worker comes to the point because the provider asks for a pause. What it refuses is asked for again, and not paid. */
const waiting =
  (point: string): Scenario =>
  async (victim) => {
    provider.behave((request, response, speech) => {
      lost.set(request.text, (lost.get(request.text) ?? 0) + 1);
      return answerWith(429, { 'retry-after': '6' })(request, response, speech);
    });
    await making(point)(victim).finally(() => {
      provider.behave('good');
    });
  };

const cancelling =
  (point: string): Scenario =>
  async (victim) => {
    const asked = await prepare('CANCELLED');
    const { token } = asked.person;
    const id = await audioOf(asked);
    await crash(point, 'api', (url) => execute(url, CancelAudio, { id }, { token }), victim);
    await until('it is cancelled', async () => {
      const { errors } = await execute(api.url, CancelAudio, { id }, { token });
      return errors.length === 0;
    });
  };

const SWEPT_LOTS = 520;

const sweepingPoints =
  (point: string): Scenario =>
  async (victim) => {
    const { person } = await prepare(null);
    const expiresAt = database.ledgerTime(HOUR_MS);
    await Promise.all(
      Array.from({ length: SWEPT_LOTS }, () =>
        grant(app, asUserId(person.id), { amount: 1, source: 'EVENT', expiresAt }),
      ),
    );
    clockMs += 2 * HOUR_MS;
    await database.moveClock(clockMs);
    await crash(point, 'api', (url) => run(url, 'EXPIRE_CREDITS'), victim);
    await until('it is swept', async () => (await run(api.url, 'EXPIRE_CREDITS')).length === 0);
    const { me } = await ask(api.url, Wallet, {}, person.token);
    expect(me?.credits.balance).toBe(10);
  };

const sweepingNarrations =
  (point: string): Scenario =>
  async (victim) => {
    const lost = await Promise.all(Array.from({ length: 3 }, () => prepare('FAILED')));
    const ids = await Promise.all(lost.map(audioOf));
    await database.sql(`DELETE FROM pgboss.job WHERE data->>'audioId' = ANY($1)`, [ids]);
    await database.sql(
      `UPDATE audios SET updated_at = updated_at - interval '2 minutes' WHERE id = ANY($1)`,
      [ids],
    );
    await crash(point, 'api', (url) => run(url, 'REAP_STUCK_AUDIO'), victim);
    await until('it is swept', async () => (await run(api.url, 'REAP_STUCK_AUDIO')).length === 0);
  };

const run = async (
  url: string,
  task: 'EXPIRE_CREDITS' | 'REAP_STUCK_AUDIO',
): Promise<readonly unknown[]> =>
  (await execute(url, RunMaintenance, { task }, { token: admin.token })).errors;

const SCENARIOS: Readonly<Record<string, (point: string) => Scenario>> = {
  'asked, before the commit': asking,
  'committed, before the answer': asking,
  claimed: making,
  'sentence spoken, before it is stored': making,
  'sentence stored, before anybody knows': making,
  'file half written': making,
  'file in its place, before READY': making,
  'READY, before the job is completed': making,
  'READY and committed, before the sentences’ files are removed': making,
  'waiting for the provider, before the commit of the next job': waiting,
  'FAILED, before the refund': (point) => making(point, '… ?! …'),
  'refunded, before the commit that closes the job': (point) => making(point, '… ?! …'),
  'CANCELLED, before the refund': cancelling,
  'in the middle of a sweep of points': sweepingPoints,
  'in the middle of a sweep of narrations': sweepingNarrations,
};

test('there is a scenario for every point', async () => {
  const { href } = new URL('points.mjs', import.meta.url);
  const { POINTS } = (await import(href)) as { POINTS: object };
  expect(Object.keys(SCENARIOS)).toEqual(Object.keys(POINTS));
});

test(
  'a kill at any point leaves every narration made or refunded, and nothing paid twice',
  async () => {
    const kills = new Map<string, number>();
    for (let round = 1; round <= ROUNDS; round += 1) {
      for (const [index, [point, scenarioOf]] of Object.entries(SCENARIOS).entries()) {
        const isPostgres = (round + index) % POSTGRES_EVERY === 0;
        await scenarioOf(point)(isPostgres ? 'postgres' : 'process');
        kills.set(point, (kills.get(point) ?? 0) + 1);
      }
    }
    expect([...kills.values()]).toEqual(Object.keys(SCENARIOS).map(() => ROUNDS));

    const workers = [await start('worker'), await start('worker')];
    await until('all is settled', async () => (await unsettled()) === 0, 600_000);
    await Promise.all(workers.map((worker) => worker.stop()));
    for (const asked of everything) await expectSettled(asked);
    expect(await violations(database)).toEqual({});
    expectBilledOnce();
  },
  ROUNDS * 600_000 + 900_000,
);

async function unsettled(): Promise<number> {
  const [row] = await database.sql<{ count: number }>(
    `SELECT count(*)::int AS count FROM audios WHERE status IN ('QUEUED', 'PROCESSING')`,
  );
  return row?.count ?? 0;
}

/** As it must end: READY with its file and one debit, or without a recording and without a charge. */
async function expectSettled(asked: Asked): Promise<void> {
  const { person } = asked;
  const [audio] = await database.sql<{ id: string }>('SELECT id FROM audios WHERE user_id = $1', [
    person.id,
  ]);
  const { me } = await ask(api.url, Wallet, {}, person.token);
  const balance = me?.credits.balance;
  if (audio === undefined) {
    expect([asked.end, balance]).toEqual([null, 10]);
    return;
  }
  const settled = await waitForAudio(api.url, person, audio.id);
  expect([asked.key, settled.status]).toEqual([asked.key, asked.end]);
  if (settled.status !== 'READY') {
    expect([settled.creditsCharged, balance]).toEqual([0, 10]);
    return;
  }
  expect([settled.creditsCharged, balance]).toEqual([1, 9]);
  const bytes = new Uint8Array(await (await fetch(settled.url ?? '')).arrayBuffer());
  expect(bytes.length).toBe(settled.byteSize);
  expect(readMp3(bytes).durationSeconds).toBeCloseTo(settled.durationSeconds ?? 0, 1);
}

/** What was asked for and is nowhere: it was on its way when the process was killed. */
async function noteLost(): Promise<void> {
  // Answered after all that had been sent before, so that every request of the killed process is known.
  await fetch(new URL('/v2/voices', provider.url));
  const { planSentences } = await compiled<typeof Plan>('services/narrations/synthesis/plan.js');
  for (const text of provider.countByText().keys()) {
    const script = { provider: 'openai', providerVoice: 'alloy', language: 'en', textHash: '' };
    const [sentence] = planSentences(app, { ...script, content: text });
    const hash = sentence?.hash ?? '';
    const [known] = await database.sql(
      'SELECT FROM spoken_sentences WHERE hash = $1 AND key IS NOT NULL',
      [hash],
    );
    if (known !== undefined || (await app.storage.stat(`${hash}.part`)) !== null) continue;
    // Each time that it was asked for can be lost once.
    lost.set(text, Math.min(provider.countByText().get(text) ?? 0, (lost.get(text) ?? 0) + 1));
  }
}

/** What was on its way when a process was killed cannot be kept; everything else is asked for once. */
function expectBilledOnce(): void {
  const counts = [...provider.countByText()];
  expect(counts.length).toBeGreaterThan(ROUNDS * 5);
  const twice = counts.filter(([text, count]) => count > 1 + (lost.get(text) ?? 0));
  expect(twice).toEqual([]);
}
