import { spawn, type ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  access,
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buffer } from 'node:stream/consumers';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import type { OpenApp } from '../../src/open-app.js';
import type * as S3 from '../../src/infra/storage/s3.js';
import { storeWhole, type Storage } from '../../src/infra/storage/storage.js';
import type * as Migrations from '../../src/infra/migrations.js';
import { openTestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { grant } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import { expectSoundLedger } from '../support/invariants.js';
import { V8_FLAGS } from '../support/machine.js';
import { RunMaintenance } from '../support/operations.js';
import { execute } from '../support/client.js';
import {
  administrator,
  englishVoice,
  narrate,
  newListener,
  newStory,
  waitForAudio,
} from '../support/people.js';
import { startS3 } from '../support/s3.js';
import { command, refusal, type Ended } from '../support/starting.js';
import { ADMIN, startServer, startTalebank, type Talebank } from '../support/talebank.js';
import { earlierDatabase } from '../support/upgraded.js';

/** Backups of an installation with movements, recordings, a waiting job and an anchor. */
let talebank: Talebank;
let app: OpenApp;
let folder: string;
let backup: string;
let anchors: string;
let finished: Ended;
let sequences: object[];
const empties: TestDatabase[] = [];
let made = 0;

const path = (): string => join(folder, `made-${String((made += 1))}`);

/** The address of an existing, empty database. */
async function emptyDatabase(): Promise<TestDatabase> {
  const database = await createDatabase({ locale: '' });
  empties.push(database);
  return database;
}

const backUp = (target: string, ...options: string[]): Promise<Ended> =>
  command('backup', [target, ...options], {
    DATABASE_URL: talebank.database.url,
    DATA_DIR: talebank.dataDir,
    ANCHOR_DIR: anchors,
  });

const restore = (
  source: string,
  url: string,
  { dataDir = path(), options = [] }: { dataDir?: string; options?: string[] } = {},
): Promise<Ended> =>
  command('restore', [source, ...options], {
    DATABASE_URL: url,
    DATA_DIR: dataDir,
    ANCHOR_DIR: anchors,
  });

const digestOf = ({ said }: Ended): string => /SHA-256 is ([0-9a-f]{64})/.exec(said)?.[1] ?? '';

/** Every row of every logged table, in a fixed order. */
async function rowsOf({ sql }: Pick<TestDatabase, 'sql'>): Promise<Record<string, string>> {
  const tables = await sql<{ name: string }>(
    `SELECT format('%I.%I', n.nspname, c.relname) AS name
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
       AND c.relname <> '_prisma_migrations'
       AND (n.nspname = 'public'
            OR n.nspname = 'pgboss' AND c.relname IN ('queue', 'schedule', 'job', 'subscription'))`,
  );
  const found: Record<string, string> = {};
  for (const { name } of tables) {
    const [row] = await sql<{ text: string }>(
      `SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text)), '') AS text FROM ${name} t`,
    );
    found[name] = row?.text ?? '';
  }
  return found;
}

/** Files with their SHA-256. */
async function filesIn(root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true }))
    if (entry.isFile())
      found[entry.name] = createHash('sha256')
        .update(await readFile(join(entry.parentPath, entry.name)))
        .digest('hex');
  return found;
}

const sequencesOf = ({ sql }: Pick<TestDatabase, 'sql'>): Promise<object[]> =>
  sql('SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = $1 ORDER BY 1', [
    'public',
  ]);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'talebank-backups-'));
  anchors = join(folder, 'anchors');
  backup = join(folder, 'backup');
  talebank = await startTalebank({ ANCHOR_DIR: anchors });
  app = await openTestApp(talebank.database);
  const admin = await administrator(talebank.url);
  const listener = await newListener(talebank.url);
  const story = await newStory(talebank.url, admin);
  const { audioId } = await narrate(
    talebank.url,
    listener,
    story.id,
    await englishVoice(talebank.url),
  );
  await waitForAudio(talebank.url, listener, audioId);
  await grant(app, listener.id as never, { amount: 40, source: 'ADD_ON' });
  await execute(
    talebank.url,
    RunMaintenance,
    { task: 'RECONCILE_CREDITS' },
    { token: admin.token },
  );
  // Stopped, so that what is restored can be compared with what is there.
  await talebank.server.stop();
  await talebank.database.sql(
    `INSERT INTO pgboss.job (name, data) VALUES ('send-mail', '{"userId": "a waiting job\\t\\n\\\\"}')`,
  );
  finished = await backUp(backup);
  // At once, because other tests of this file may count one on.
  sequences = await sequencesOf(talebank.database);
});
afterAll(async () => {
  await app.close(1000);
  for (const database of empties) await database.drop();
  await talebank.close();
  await rm(folder, { recursive: true, force: true });
});

test('a restore has every row, every recording and the ends of the sequences, and a sound ledger', async () => {
  expect(finished.said).toMatch(/is complete\. Its SHA-256 is [0-9a-f]{64}/);
  expect([finished.code, finished.said]).toEqual([0, expect.stringContaining('are as they were')]);
  const target = await emptyDatabase();
  const dataDir = path();
  const ended = await restore(backup, target.url, {
    dataDir,
    options: ['--digest', digestOf(finished)],
  });
  expect([ended.code, ended.said]).toEqual([0, expect.stringContaining('are as they were')]);

  expect(await rowsOf(target)).toEqual(await rowsOf(talebank.database));
  const recordings = await filesIn(join(talebank.dataDir, 'audio'));
  expect(Object.keys(recordings).length).toBeGreaterThan(1);
  expect(await filesIn(join(dataDir, 'audio'))).toEqual(recordings);
  expect(await sequencesOf(target)).toEqual(sequences);
  const rules = `
    SELECT conrelid::regclass::text AS place, conname AS name, pg_get_constraintdef(oid) AS text, convalidated::text AS state
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid), tgenabled::text
    FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2`;
  expect(await target.sql(rules)).toEqual(await talebank.database.sql(rules));
  await expectSoundLedger(target);
});

test('recordings of a bucket are copied and restored, and archives of personal data are not', async () => {
  const s3 = await startS3();
  const bucketOf = (prefix: string): Record<string, string> => ({
    ...s3.environment,
    S3_PREFIX: prefix,
  });
  const { openS3Storage } = await compiled<typeof S3>('infra/storage/s3.js');
  const from = openS3Storage({ ...s3.bucket, prefix: 'from/' });
  const to = openS3Storage({ ...s3.bucket, prefix: 'to/' });
  try {
    const names = ['a', 'b', 'c'].map((digit) => digit.repeat(64));
    const [sound, sentence, archive] = [
      `${names[0] ?? ''}.mp3`,
      `${names[1] ?? ''}.part`,
      `${names[2] ?? ''}.gz`,
    ];
    for (const key of [sound, sentence, archive]) await storeWhole(from, key, randomBytes(70_000));
    const copy = path();
    const saved = await command('backup', [copy], {
      ...bucketOf('from/'),
      DATABASE_URL: talebank.database.url,
      DATA_DIR: talebank.dataDir,
    });
    expect([saved.code, saved.said]).toEqual([
      0,
      expect.stringContaining('2 files with 140000 bytes'),
    ]);
    expect(Object.keys(await filesIn(join(copy, 'recordings'))).sort()).toEqual([sound, sentence]);
    expect(await readFile(join(copy, 'recordings.jsonl'), 'utf8')).not.toContain('.gz');
    const target = await emptyDatabase();
    const loaded = await command('restore', [copy], {
      ...bucketOf('to/'),
      DATABASE_URL: target.url,
      DATA_DIR: path(),
    });
    expect([loaded.code, loaded.said]).toEqual([
      0,
      expect.stringContaining('2 files written, 0 there'),
    ]);
    for (const key of [sound, sentence])
      expect(await bytesOf(to, key)).toEqual(await bytesOf(from, key));
    expect(await to.stat(archive)).toBeNull();
    expect(await from.stat(archive)).not.toBeNull();
  } finally {
    await from.close();
    await to.close();
    await s3.close();
  }
});

const bytesOf = async (storage: Storage, key: string): Promise<Buffer> =>
  buffer(await storage.read(key, { start: 0, end: 69_999 }));

test('a server starts on what was restored, with the same passwords and keys', async () => {
  const target = await emptyDatabase();
  const dataDir = path();
  expect((await restore(backup, target.url, { dataDir })).code).toBe(0);
  const server = await startServer({ DATABASE_URL: target.url, DATA_DIR: dataDir });
  try {
    expect((await administrator(server.url)).email).toBe(ADMIN.email);
    const keys = `SELECT kid FROM signing_keys ORDER BY kid`;
    expect(await target.sql(keys)).toEqual(await talebank.database.sql(keys));
  } finally {
    await server.stop();
  }
  await expectSoundLedger(target);
});

test('a backup is restored into an embedded database, too', async () => {
  const dataDir = path();
  const ended = await command('restore', [backup], { DATA_DIR: dataDir, ANCHOR_DIR: anchors });
  expect([ended.code, ended.said]).toEqual([0, expect.stringContaining('are as they were')]);
  const again = await command('restore', [backup], { DATA_DIR: dataDir });
  expect([again.code, again.said]).toEqual([1, expect.stringContaining('is not empty')]);
});

test('a database that has anything in it is refused, and stays as it is', async () => {
  const before = await rowsOf(talebank.database);
  const ended = await restore(backup, talebank.database.url);
  expect([ended.code, ended.said]).toEqual([1, expect.stringContaining('is not empty')]);
  expect(await rowsOf(talebank.database)).toEqual(before);

  const other = await emptyDatabase();
  await other.sql('CREATE TABLE of_another_program (id int)');
  const refused = await restore(backup, other.url);
  expect([refused.code, refused.said]).toEqual([1, expect.stringContaining('of_another_program')]);
});

test('a backup is never overwritten, and a folder with other files is not used', async () => {
  const ended = await backUp(backup);
  expect([ended.code, ended.said]).toEqual([1, expect.stringContaining('has a backup already')]);
  const other = path();
  await mkdir(other);
  await writeFile(join(other, 'a-file'), '');
  const refused = await backUp(other);
  expect([refused.code, refused.said]).toEqual([1, expect.stringContaining('is not empty')]);
});

test('a folder that other users can write to is not used, and one that they can read is closed', async () => {
  const open = path();
  await mkdir(open);
  await chmod(open, 0o777);
  const refused = await backUp(open);
  expect([refused.code, refused.said]).toEqual([1, expect.stringContaining('can write to it')]);
  expect(await readdir(open)).toEqual([]);
  await chmod(open, 0o755);
  expect((await backUp(open)).code).toBe(0);
  expect((await stat(open)).mode & 0o777).toBe(0o700);
});

/** Changes a copy of the backup. @returns the output of a restore of it */
async function restoreChanged(
  change: (copy: string) => Promise<unknown>,
  options: string[] = [],
): Promise<Ended & { readonly target: TestDatabase }> {
  const copy = path();
  await cp(backup, copy, { recursive: true });
  await change(copy);
  const target = await emptyDatabase();
  return { ...(await restore(copy, target.url, { options })), target };
}

const tablesIn = ({ sql }: Pick<TestDatabase, 'sql'>): Promise<object[]> =>
  sql(`SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace`);

const firstRecording = async (copy: string): Promise<string> => {
  const found = await readdir(join(copy, 'recordings'), { recursive: true, withFileTypes: true });
  const file = found.find((entry) => entry.isFile());
  return join(file?.parentPath ?? '', file?.name ?? '');
};

test('a damaged backup is found before anything is written', async () => {
  const table = (copy: string): string => join(copy, 'database', 'public.credit_lots.copy.gz');
  const changes: ((copy: string) => Promise<unknown>)[] = [
    async (copy) => {
      const bytes = await readFile(table(copy));
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
      await writeFile(table(copy), bytes);
    },
    async (copy) => writeFile(table(copy), (await readFile(table(copy))).subarray(0, -9)),
    (copy) => rm(table(copy)),
    async (copy) => writeFile(await firstRecording(copy), randomBytes(100)),
    async (copy) => rm(await firstRecording(copy)),
    (copy) => writeFile(join(copy, 'recordings.jsonl'), ''),
    (copy) => rm(join(copy, 'manifest.json')),
    (copy) => writeFile(join(copy, 'manifest.json'), '{"format":2}'),
    // A type becomes a part of a statement.
    async (copy) => {
      const file = join(copy, 'manifest.json');
      const text = await readFile(file, 'utf8');
      const forged = text.replace(/("type": ")jsonb"/, '$1jsonb); DROP SCHEMA public CASCADE; --"');
      expect(forged).not.toBe(text);
      await writeFile(file, forged);
    },
  ];
  for (const change of changes) {
    const { code, said, target } = await restoreChanged(change);
    expect([code, said]).toEqual([
      1,
      expect.stringMatching(/damaged|no complete backup|not that of/),
    ]);
    expect(await tablesIn(target)).toEqual([]);
  }
});

/** Changes the rows of a table in a backup, and the manifest with it, as an attacker would. */
async function forge(copy: string, name: string, from: RegExp, to: string): Promise<void> {
  const file = join(copy, 'database', `public.${name}.copy.gz`);
  const text = gunzipSync(await readFile(file)).toString();
  expect(text).toMatch(from);
  const bytes = gzipSync(text.replace(from, to));
  await writeFile(file, bytes);
  const manifest = JSON.parse(await readFile(join(copy, 'manifest.json'), 'utf8')) as {
    tables: { name: string; lengthBytes: number; sha256: string }[];
  };
  for (const table of manifest.tables)
    if (table.name === name) {
      table.lengthBytes = bytes.length;
      table.sha256 = createHash('sha256').update(bytes).digest('hex');
    }
  await writeFile(join(copy, 'manifest.json'), JSON.stringify(manifest));
}

test('a forged backup with a matching manifest is found by its digest, or by the ledger', async () => {
  const change = (copy: string): Promise<void> =>
    forge(copy, 'credit_transactions', /\t40\t/, '\t41\t');
  const known = await restoreChanged(change, ['--digest', digestOf(finished)]);
  expect([known.code, known.said]).toEqual([
    1,
    expect.stringContaining('The manifest must have the SHA-256'),
  ]);
  expect(await tablesIn(known.target)).toEqual([]);
  const unknown = await restoreChanged(change);
  expect([unknown.code, unknown.said]).toEqual([1, expect.stringContaining('FAIL')]);
});

const COMMAND = (name: string): string =>
  fileURLToPath(new URL(`../../dist/cli/${name}.js`, import.meta.url));

function begin(name: string, args: string[], environment: Record<string, string>): ChildProcess {
  return spawn(process.execPath, [...V8_FLAGS, COMMAND(name), ...args], {
    env: {
      PATH: process.env['PATH'] ?? '',
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
      ...environment,
    },
    stdio: 'ignore',
  });
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** Locks a table, so that a command stops where it needs the table. */
async function holdTable(url: string, name: string): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`BEGIN; LOCK TABLE ${name} IN ACCESS EXCLUSIVE MODE`);
  return () => client.end();
}

const waitsForLock = async ({ sql }: Pick<TestDatabase, 'sql'>, of: string): Promise<boolean> =>
  (
    await sql(
      `SELECT FROM pg_stat_activity WHERE datname = current_database()
       AND application_name = $1 AND wait_event_type = 'Lock'`,
      [of],
    )
  ).length > 0;

test('a backup that is killed cannot be restored, and is made again in the same folder', async () => {
  const target = path();
  const release = await holdTable(talebank.database.url, 'credit_lots');
  const child = begin('backup', [target], {
    DATABASE_URL: talebank.database.url,
    DATA_DIR: talebank.dataDir,
  });
  try {
    await until('the backup waits for a table', () =>
      waitsForLock(talebank.database, 'talebank-backup'),
    );
    const second = await backUp(target);
    expect([second.code, second.said]).toEqual([1, expect.stringContaining('Another process')]);
  } finally {
    await kill(child);
    await release();
  }
  const empty = await emptyDatabase();
  const refused = await restore(target, empty.url);
  expect([refused.code, refused.said]).toEqual([1, expect.stringContaining('no complete backup')]);
  // A file that was copied in part is copied again.
  const key = await firstRecording(backup);
  const half = join(target, 'recordings', key.slice(key.lastIndexOf('/') + 1).slice(0, 2));
  await mkdir(half, { recursive: true });
  await writeFile(join(half, key.slice(key.lastIndexOf('/') + 1)), 'half');
  const again = await backUp(target);
  expect([again.code, again.said]).toEqual([0, expect.stringContaining('made again')]);
  expect((await restore(target, empty.url)).code).toBe(0);
  expect(await rowsOf(empty)).toEqual(await rowsOf(talebank.database));
  await expect(access(join(target, 'unfinished'))).rejects.toThrow();
});

test('a restore that is killed between two migrations keeps servers out, and goes on with the same backup', async () => {
  const target = await emptyDatabase();
  const dataDir = path();
  const environment = { DATABASE_URL: target.url, DATA_DIR: dataDir };
  const child = begin('restore', [backup], environment);
  try {
    await until('the restore has begun', async () => {
      const [found] = await target.sql<{ there: boolean }>(
        `SELECT to_regclass('public._prisma_migrations') IS NOT NULL AS there`,
      );
      return found?.there === true;
    });
  } finally {
    await kill(child);
  }
  const refused = await refusal(environment);
  expect([refused.code, refused.said]).toEqual([1, expect.stringContaining('has not ended')]);

  const other = path();
  expect((await backUp(other, '--without-recordings')).code).toBe(0);
  const mixed = await restore(other, target.url);
  expect([mixed.code, mixed.said]).toEqual([1, expect.stringContaining('another backup')]);

  const ended = await restore(backup, target.url, { dataDir });
  expect([ended.code, ended.said]).toEqual([0, expect.stringContaining('are as they were')]);
  expect(await rowsOf(target)).toEqual(await rowsOf(talebank.database));
});

/** Writes the note of a restore into a database, as the command does. */
const note = ({ sql }: Pick<TestDatabase, 'sql'>, stage: string): Promise<unknown> =>
  sql(
    `CREATE SCHEMA talebank_restore;
     CREATE TABLE talebank_restore.unfinished AS SELECT '${digestOf(finished)}' AS digest, '${stage}' AS stage`,
  );

test('a restore that is killed while it writes rows leaves none, and only one runs at a time', async () => {
  const target = await createDatabase();
  empties.push(target);
  await (await openTestApp(target)).close(1000);
  await target.sql('TRUNCATE pgboss.queue, pgboss.schedule CASCADE');
  await note(target, 'begun');
  // The rows of the queue are written last, in the same transaction as the others.
  const release = await holdTable(target.url, 'pgboss.schedule');
  const child = begin('restore', [backup], { DATABASE_URL: target.url, DATA_DIR: path() });
  try {
    await until('the restore waits for a table', () => waitsForLock(target, 'talebank-start'));
    const second = await restore(backup, target.url);
    expect([second.code, second.said]).toEqual([1, expect.stringContaining('another restore')]);
  } finally {
    await kill(child);
    await release();
  }
  await until('the session of the killed restore has ended', async () => {
    return (await target.sql(`SELECT FROM pg_locks WHERE locktype = 'advisory'`)).length === 0;
  });
  expect(await target.sql('SELECT FROM users')).toEqual([]);
  const ended = await restore(backup, target.url);
  expect([ended.code, ended.said]).toEqual([0, expect.stringContaining('are as they were')]);
  expect(await rowsOf(target)).toEqual(await rowsOf(talebank.database));
});

test('a restore that is killed after its rows were written goes on with the recordings', async () => {
  const target = await emptyDatabase();
  expect((await restore(backup, target.url, { options: ['--without-recordings'] })).code).toBe(0);
  await note(target, 'loaded');
  const dataDir = path();
  const ended = await restore(backup, target.url, { dataDir });
  expect([ended.code, ended.said]).toEqual([0, expect.stringContaining('loaded before')]);
  expect(await filesIn(join(dataDir, 'audio'))).toEqual(
    await filesIn(join(talebank.dataDir, 'audio')),
  );
});

test('the backup of an earlier release is migrated by the restore', async () => {
  const old = await earlierDatabase();
  empties.push(old);
  const source = path();
  const made = await command('backup', [source, '--without-recordings'], {
    DATABASE_URL: old.url,
    DATA_DIR: path(),
  });
  expect(made.said).toContain('is complete');
  const target = await emptyDatabase();
  const ended = await restore(source, target.url, { options: [] });
  expect(ended.said).toContain(', 20261130230000_logged_sequence');
  const transactions = `
    SELECT user_id, seq, type, amount, encode(hash, 'hex') AS hash FROM credit_transactions ORDER BY user_id, seq`;
  const rows = await target.sql(transactions);
  expect(rows.length).toBeGreaterThan(5);
  expect(rows).toEqual(await old.sql(transactions));
  const files = { schema: 'prisma/schema.prisma', folder: 'prisma/migrations' };
  const { schemaDrift } = await compiled<typeof Migrations>('infra/migrations.js');
  expect(await schemaDrift(target.url, files)).toBe('');
});

test('no sequence is unlogged, because a promoted standby could not use it', async () => {
  const { database } = talebank;
  const unlogged = await database.sql(
    `SELECT relname FROM pg_class WHERE relkind = 'S' AND relpersistence = 'u'`,
  );
  expect(unlogged).toEqual([]);
  // The table is unlogged, and its ids come from the sequence, which it owns.
  await database.sql(`INSERT INTO live_changes (topic) VALUES ('a'), ('b')`);
  expect(
    await database.sql(
      `SELECT pg_get_serial_sequence('live_changes', 'id') AS name, max(id) > 1 AS counts FROM live_changes`,
    ),
  ).toEqual([{ name: 'public.live_changes_id_seq', counts: true }]);
});

test('a backup of a newer release is refused', async () => {
  const { code, said, target } = await restoreChanged(async (copy) => {
    const file = join(copy, 'manifest.json');
    const manifest = JSON.parse(await readFile(file, 'utf8')) as { migrations: object[] };
    manifest.migrations.push({ name: '29990101000000_later', checksum: '0'.repeat(64) });
    await writeFile(file, JSON.stringify(manifest));
  });
  expect([code, said]).toEqual([1, expect.stringContaining('29990101000000_later')]);
  expect(await tablesIn(target)).toEqual([]);
});

test('a backup that is older than the newest anchor is recognised', async () => {
  // A separate installation, which has changed since the backup.
  const later = await emptyDatabase();
  const [dataDir, laterAnchors] = [path(), path()];
  expect((await restore(backup, later.url, { dataDir })).code).toBe(0);
  const server = await startServer({
    DATABASE_URL: later.url,
    DATA_DIR: dataDir,
    ANCHOR_DIR: laterAnchors,
  });
  const { id } = await newListener(server.url);
  const admin = await administrator(server.url);
  await execute(server.url, RunMaintenance, { task: 'RECONCILE_CREDITS' }, { token: admin.token });
  await server.stop();
  const [anchor = ''] = await readdir(laterAnchors);
  const target = await emptyDatabase();
  const ended = await restore(backup, target.url, {
    options: ['--anchor', join(laterAnchors, anchor)],
  });
  expect([ended.code, ended.said]).toEqual([
    1,
    expect.stringContaining(`user ${id}: the account is gone`),
  ]);
  await expectSoundLedger(target);
});
