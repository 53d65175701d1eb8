import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SCHEDULED_QUEUES } from '../../src/services/queues.js';
import { TASK_NAMES } from '../../src/services/tasks.js';
import { ask, execute } from '../support/client.js';
import { RunMaintenance } from '../support/operations.js';
import { machineClock, V8_FLAGS } from '../support/machine.js';
import { administrator } from '../support/people.js';
import {
  startServer,
  startTalebank,
  type Environment,
  type Talebank,
} from '../support/talebank.js';
import { putModel } from '../support/voice-models/models.js';

const DOCTOR = fileURLToPath(new URL('../../dist/cli/doctor.js', import.meta.url));
/** A time limit that a slow machine keeps, and one for what hangs in any case. */
const PATIENT = ['--timeout', '60'];
const HASTY = ['--timeout', '3'];
const SECRET = `secret-${randomBytes(6).toString('hex')}`;

interface Found {
  readonly name: string;
  readonly level: string;
  readonly text: string;
  readonly advice: string | null;
}
interface Report {
  readonly code: number;
  readonly output: string;
  /** The first finding of a check, as `level: text`. */
  of(name: string): string;
  readonly checks: readonly Found[];
}

let talebank: Talebank;
/** The environment of a server that is well. */
let well: Environment;
const servers: Server[] = [];
/** Everything that any run has printed. */
let printed = '';

function run(
  environment: Environment,
  args: readonly string[],
): Promise<Omit<Report, 'of' | 'checks'>> {
  return new Promise((resolve) => {
    const env = {
      ...machineClock(),
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
      ...environment,
    };
    execFile(process.execPath, [...V8_FLAGS, DOCTOR, ...args], { env }, (error, stdout, stderr) => {
      printed += stdout + stderr;
      resolve({ code: Number(error?.code ?? 0), output: stdout + stderr });
    });
  });
}

async function examine(
  environment: Environment = {},
  args: readonly string[] = PATIENT,
): Promise<Report> {
  const { code, output } = await run({ ...well, ...environment }, ['--json', ...args]);
  const { checks } = JSON.parse(output) as { checks: Found[] };
  const of = (name: string): string => {
    const found = checks.find((check) => check.name === name);
    return `${found?.level ?? 'none'}: ${found?.text ?? ''}`;
  };
  return { code, output, checks, of };
}

/** The names of the checks that are not ok. */
const notOk = ({ checks }: Report): string[] => [
  ...new Set(checks.filter(({ level }) => level !== 'ok').map(({ name }) => name)),
];

const listen = async (server: Server): Promise<number> => {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
};

/** A server that answers everything with one status. */
const answering = (status: number): Promise<number> =>
  listen(createServer((_request, response) => response.writeHead(status).end('{}')));

/** A port at which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createTcpServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  const { token } = await administrator(talebank.url);
  // There is no worker. What an administrator runs counts too.
  for (const task of TASK_NAMES) await ask(talebank.url, RunMaintenance, { task }, token);
  well = {
    DATABASE_URL: talebank.database.url,
    DATA_DIR: talebank.dataDir,
    PORT: new URL(talebank.url).port,
    METRICS_TOKEN: `${SECRET}-of-metrics`,
    ADMIN_EMAIL: 'admin@example.com',
    ADMIN_PASSWORD: `${SECRET}-of-admin`,
  };
});
afterAll(async () => {
  for (const server of servers) server.close();
  await talebank.close();
});

test('a server that is well gets a line for each check, and 0', async () => {
  const { code, output } = await run(well, PATIENT);
  expect([code, output]).toEqual([0, expect.stringMatching(/\n0 failures, 0 warnings\.\n$/)]);
  const lines = output.trimEnd().split('\n').slice(0, -1);
  expect(lines.map((line) => /^ok {4}(\S+(?: \S+)*?) {2,}\S/.exec(line)?.[1])).toEqual([
    ...['configuration', 'versions', 'disk', 'server', 'database', 'migrations', 'rights', 'clock'],
    ...['queues', 'tasks', 'ledger', 'anchor', 'bulk orders', 'storage', 'speech', 'mail'],
  ]);
  expect(output).toMatch(/^ok {4}configuration {2}set: PORT, DATA_DIR, DATABASE_URL, /);
  const report = await examine();
  expect([report.code, notOk(report)]).toEqual([0, []]);
  expect(report.checks.length).toBe(lines.length);
});

describe('what is wrong is told, with the rest', () => {
  test('a database that is gone, and one that refuses the password', async () => {
    const url = new URL(talebank.database.url);
    url.password = encodeURIComponent(`${SECRET}/of database`);
    const wrong = await examine({ DATABASE_URL: url.href });
    expect(wrong.of('database')).toMatch(
      /^fail: DATABASE_URL: the server at .* refuses the password/,
    );
    url.port = String(await closedPort());
    const gone = await examine({ DATABASE_URL: url.href });
    expect(gone.of('database')).toMatch(/^fail: .*nothing listens there/);
    for (const report of [wrong, gone]) {
      expect(report.code).toBe(2);
      expect(report.of('queues')).toMatch(/^warn: not known/);
      for (const name of ['disk', 'storage', 'speech', 'mail'])
        expect([name, report.of(name)]).toEqual([name, expect.stringMatching(/^ok/)]);
    }
  });

  test('migrations that are pending, unknown or unfinished', async () => {
    const { database } = talebank;
    const newest = `(SELECT migration_name FROM _prisma_migrations ORDER BY migration_name DESC LIMIT 1)`;
    const looked: string[] = [];
    for (const [change, back] of [
      [
        `UPDATE _prisma_migrations SET rolled_back_at = now() WHERE migration_name = ${newest}`,
        `UPDATE _prisma_migrations SET rolled_back_at = NULL`,
      ],
      [
        `INSERT INTO _prisma_migrations SELECT 'x', checksum, finished_at, '29990101000000_later', NULL, NULL, started_at, 1
         FROM _prisma_migrations LIMIT 1`,
        `DELETE FROM _prisma_migrations WHERE id = 'x'`,
      ],
    ] as const) {
      await database.sql(change);
      const report = await examine().finally(() => database.sql(back));
      expect([report.code, notOk(report)]).toEqual([2, ['migrations']]);
      looked.push(report.of('migrations'));
    }
    expect(looked).toEqual([
      expect.stringMatching(/^fail: 1 of \d+ are pending: \d{14}_/),
      expect.stringMatching(/^fail: .*29990101000000_later.*newer one has migrated it/),
    ]);
  });

  test('storage that refuses, and a provider that is down or refuses the key', async () => {
    const [refusing, closed] = await Promise.all([answering(403), closedPort()]);
    const secrets = {
      OPENAI_API_KEY: `${SECRET}-of-openai`,
      S3_SECRET_ACCESS_KEY: `${SECRET}-of-s3`,
    };
    const bucket = {
      STORAGE: 's3',
      S3_BUCKET: 'recordings',
      S3_ACCESS_KEY_ID: 'id-of-key',
      S3_ENDPOINT: `http://127.0.0.1:${String(refusing)}`,
    };
    const refused = await examine({
      ...{ ...secrets, ...bucket, SPEECH_PROVIDER: 'openai' },
      OPENAI_BASE_URL: `http://127.0.0.1:${String(closed)}/v1`,
    });
    expect([refused.code, notOk(refused)]).toEqual([2, ['storage', 'speech']]);
    expect(refused.of('storage')).toMatch(/refuses them for the bucket recordings/);
    expect(refused.of('speech')).toBe('fail: openai: The speech provider cannot be reached.');
    const key = await examine({
      ...{ ...secrets, SPEECH_PROVIDER: 'elevenlabs', ELEVENLABS_API_KEY: `${SECRET}-of-eleven` },
      ELEVENLABS_BASE_URL: `http://127.0.0.1:${String(refusing)}`,
    });
    expect(key.of('speech')).toBe('fail: elevenlabs refuses the key with 403');
    const natural = {
      SPEECH_PROVIDER: 'sherpa',
      DATA_DIR: await mkdtemp(join(tmpdir(), 'models-')),
    };
    const none = await examine(natural);
    expect(none.of('speech')).toMatch(/^fail: there is no usable model in .*voices$/);
    await putModel(join(natural.DATA_DIR, 'voices'), 'tones');
    expect((await examine(natural)).of('speech')).toBe('ok: sherpa has spoken a word; models: 1');
    await rm(natural.DATA_DIR, { recursive: true });
    const homemade = await examine({
      SPEECH_PROVIDER: 'openai',
      OPENAI_BASE_URL: `http://127.0.0.1:${String(await answering(404))}/v1`,
    });
    expect([homemade.code, homemade.of('speech')]).toEqual([
      0,
      'ok: openai answers (404 for its list of models)',
    ]);
  });

  test('a mail server, a provider and a database that hang do not keep the rest from being told', async () => {
    const port = await listen(createTcpServer(() => undefined));
    const silent = `127.0.0.1:${String(port)}`;
    const report = await examine(
      {
        SMTP_URL: `smtp://user:${SECRET}-of-mail@${silent}`,
        DATABASE_URL: `postgresql://user:${SECRET}-of-database@${silent}/talebank`,
        SPEECH_PROVIDER: 'openai',
        OPENAI_BASE_URL: `http://${silent}/v1`,
      },
      HASTY,
    );
    expect(report.code).toBe(2);
    expect(report.of('mail')).toMatch(/^fail: the mail server at 127.0.0.1:\d+ does not greet/);
    expect(report.of('database')).toMatch(/^fail: .*does not answer within 2.4 s/);
    expect(report.of('speech')).toBe('fail: no answer within 3 s');
    expect(report.of('ledger')).toMatch(/^warn: not known/);
    expect(report.of('versions')).toMatch(/^ok: talebank /);
    expect(report.of('disk')).toMatch(/^ok/);
  });

  test('clocks that differ, a disk that is low, jobs and tasks that are late', async () => {
    const { database } = talebank;
    const shifted = (ms: number): Environment => ({
      NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(
        `const now = Date.now; Date.now = () => now() + ${String(ms)};`,
      )}`,
    });
    const slow = await examine(shifted(-20_000));
    expect([slow.code, notOk(slow)]).toEqual([1, ['clock']]);
    expect(slow.of('clock')).toMatch(/^warn: the database’s clock is \d+\.\d s ahead of/);
    const fast = await examine(shifted(3_600_000));
    expect(fast.of('clock')).toMatch(/^fail: the database’s clock is 3\d{3}\.\d s behind/);
    await database.moveClock(60_000);
    await database.sql(`
      INSERT INTO pgboss.job (name, state) VALUES ('send-mail', 'failed');
      INSERT INTO pgboss.job (name, state, start_after) VALUES ('erase-account', 'created', now() - interval '3 hours');
      UPDATE task_runs SET succeeded_at = now() - interval '20 minutes' WHERE task = 'REAP_STUCK_AUDIO'`);
    // A task that an administrator runs, and that fails.
    await database.sql('ALTER TABLE story_texts RENAME TO story_texts_away');
    const { token } = await administrator(talebank.url);
    await execute(talebank.url, RunMaintenance, { task: 'PRUNE_SESSIONS' }, { token });
    await database.sql('ALTER TABLE story_texts_away RENAME TO story_texts');
    const late = await examine({}, [...PATIENT, '--disk-min', '999999999']);
    await database.moveClock(0);
    await database.sql(`
      DELETE FROM pgboss.job WHERE name IN ('send-mail', 'erase-account');
      UPDATE task_runs SET succeeded_at = now() WHERE task = 'REAP_STUCK_AUDIO'`);
    await ask(talebank.url, RunMaintenance, { task: 'PRUNE_SESSIONS' }, token);
    expect(await examine()).toMatchObject({ code: 0 });
    const lines = late.checks
      .filter(({ level }) => level !== 'ok')
      .map(({ level, text }) => `${level} ${text}`);
    expect(lines).toEqual([
      expect.stringMatching(/^fail .* are free in DATA_DIR/),
      expect.stringMatching(/^fail ledger_now\(\) is \d+\.\d s ahead of/),
      'fail erase-account: 1 job waits, the oldest for 3 h',
      'warn send-mail: 1 job has failed and is not tried again',
      expect.stringMatching(/^fail reap-stuck-audio: last run 2\d min ago/),
      'fail prune: the last run has failed',
    ]);
    expect(late.checks.every(({ level, advice }) => (level === 'ok') === (advice === null))).toBe(
      true,
    );
  });

  test('tasks, a check and an anchor that never ran are missed in an old database, and are not due in a new one', async () => {
    const { database } = talebank;
    const age = (by: string): Promise<unknown> =>
      database.sql(`UPDATE _prisma_migrations SET finished_at = finished_at + interval '${by}'`);
    await database.sql(`
      CREATE TABLE kept_runs AS TABLE task_runs; DELETE FROM task_runs;
      CREATE TABLE kept_checks AS TABLE reconciliations; DELETE FROM reconciliations`);
    const fresh = await examine();
    await age('-10 days');
    const old = await examine();
    await age('10 days');
    await database.sql(`
      INSERT INTO task_runs TABLE kept_runs; DROP TABLE kept_runs;
      INSERT INTO reconciliations TABLE kept_checks; DROP TABLE kept_checks`);
    expect([fresh.code, notOk(fresh)]).toEqual([0, []]);
    expect(fresh.of('tasks')).toMatch(/^ok: 0 of \d+ tasks have run; the others are not due/);
    expect([old.code, notOk(old)]).toEqual([1, ['tasks', 'ledger', 'anchor']]);
    expect(old.checks.filter(({ name }) => name === 'tasks')).toHaveLength(SCHEDULED_QUEUES.length);
    expect(old.of('ledger')).toBe('warn: it was never checked');
    expect(await examine()).toMatchObject({ code: 0 });
  });

  test('anchors that wait for a place, also when the database is gone', async () => {
    const waiting = join(talebank.dataDir, 'anchors', 'waiting.jsonl');
    await writeFile(waiting, '');
    const begun = await examine();
    expect([begun.code, begun.of('anchor').slice(0, 3)]).toEqual([0, 'ok:']);
    const found: [number, string | undefined][] = [];
    const gone = { DATABASE_URL: `postgres://127.0.0.1:${String(await closedPort())}/talebank` };
    for (const [hours, environment] of [
      [3, {}],
      [48, {}],
      [48, gone],
    ] as const) {
      const at = new Date(Date.now() - hours * 3_600_000);
      await utimes(waiting, at, at);
      const { code, checks } = await examine(environment);
      const last = checks.filter(({ name }) => name === 'anchor').at(-1);
      found.push([code, `${last?.level ?? ''}: ${last?.text ?? ''}`]);
    }
    await rm(waiting);
    expect(found).toEqual([
      [1, expect.stringMatching(/^warn: 1 anchor waits in .*anchors, the oldest for 3 h$/)],
      [2, expect.stringMatching(/^fail: 1 anchor waits in .*anchors, the oldest for 2 days$/)],
      [2, expect.stringMatching(/^fail: 1 anchor waits in .*anchors, the oldest for 2 days$/)],
    ]);
  });

  test('a wrong variable stops the rest, and does not print its value when that is secret', async () => {
    const port = await examine({ PORT: 'abc' });
    expect([port.code, port.of('configuration')]).toEqual([
      2,
      expect.stringMatching(/^fail: PORT is "abc", but must be a whole number/),
    ]);
    const url = await examine({
      DATABASE_URL: `postgres://user:${SECRET}-of-url@host/x?nonsense=1`,
    });
    expect(url.of('configuration')).toMatch(/^fail: DATABASE_URL is a value, but must not have/);
    const keyId = await examine({ S3_ACCESS_KEY_ID: `${SECRET} of a key` });
    expect(keyId.of('configuration')).toMatch(/^fail: S3_ACCESS_KEY_ID is a value, but must be/);
    const option = await run(well, ['--tiemout', '3']);
    expect([option.code, option.output]).toEqual([
      2,
      expect.stringMatching(/^Usage: npm run doctor/),
    ]);
  });
});

test('the embedded database is used while its server runs, even stopped, and is not started', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'talebank-doctor-'));
  const server = await startServer({ DATA_DIR: dataDir, EMBEDDED_DATABASE: 'true' });
  const embedded = { DATABASE_URL: '', DATA_DIR: dataDir, PORT: new URL(server.url).port };
  const pidFile = join(dataDir, 'postgres', 'cluster', 'postmaster.pid');
  try {
    const running = await examine(embedded);
    expect(running.of('database')).toMatch(/^ok: Postgres \d.* role talebank/);
    expect(running.of('server')).toMatch(/is ready; it holds DATA_DIR \(process \d+ of/);
    expect(running.checks.filter(({ level }) => level === 'fail')).toEqual([]);
    const postmaster = Number((await readFile(pidFile, 'utf8')).split('\n')[0]);
    process.kill(postmaster, 'SIGSTOP');
    const frozen = await examine(embedded, HASTY).finally(() =>
      process.kill(postmaster, 'SIGCONT'),
    );
    expect([frozen.code, frozen.of('database').slice(0, 5), frozen.of('disk').slice(0, 3)]).toEqual(
      [...[2, 'fail:', 'ok:']],
    );
  } finally {
    await server.stop();
  }
  const stopped = await examine(embedded);
  expect(stopped.code).toBe(1);
  expect(stopped.of('database')).toMatch(/^warn: the embedded database does not run/);
  expect(stopped.of('server')).toMatch(/^warn: no server answers/);
  await expect(readFile(pidFile)).rejects.toThrow('ENOENT');
  await rm(dataDir, { recursive: true, force: true });
});

afterAll(() => {
  expect(printed.length).toBeGreaterThan(1_000);
  expect(printed).not.toContain(SECRET);
  expect(printed).not.toContain(encodeURIComponent(SECRET));
  expect(printed).not.toContain(new URL(talebank.database.url).password);
});
