import { createHash } from 'node:crypto';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { compactVerify, createRemoteJWKSet } from 'jose';
import pg from 'pg';
import type { OpenApp } from '../../src/open-app.js';
import { newId, type UserId } from '../../src/domain/ids.js';
import { bucketPlace } from '../../src/infra/storage/anchor-bucket.js';
import { openAnchorPlaces, requireAnchorFolder } from '../../src/infra/storage/anchor-places.js';
import type * as MakeAnchor from '../../src/services/anchors/make-anchor.js';
import type * as Maintenance from '../../src/services/maintenance/run-maintenance.js';
import { expectedStatement, linesOf, statementOf } from '../support/anchors.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { ask } from '../support/client.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { debit, grant, refund, revoke } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';
import { expectSoundLedger } from '../support/invariants.js';
import { RunMaintenance } from '../support/operations.js';
import { administrator, newListener } from '../support/people.js';
import { startS3, type S3Server } from '../support/s3.js';
import { loggedBy, startTalebank } from '../support/talebank.js';

const NAME = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z-[0-9a-f-]{36}\.jsonl$/;

let database: TestDatabase;
let s3: S3Server;
let folder: string;
let app: OpenApp;
let runMaintenance: typeof Maintenance.runMaintenance;

beforeAll(async () => {
  [database, s3, folder] = await Promise.all([
    createDatabase(),
    startS3(),
    mkdtemp(join(tmpdir(), 'talebank-anchors-')),
  ]);
  app = await openTestApp(database, { ANCHOR_DIR: join(folder, 'kept'), ...bucketVariables(s3) });
  ({ runMaintenance } = await compiled<typeof Maintenance>(
    'services/maintenance/run-maintenance.js',
  ));
  const [one, other, admin] = (await makeAccounts(database, 4)) as [UserId, UserId, UserId];
  const { lotId } = await grant(app, one, { amount: 20, source: 'EVENT' });
  await grant(app, one, { amount: 7 });
  await grant(app, other, { amount: 9, source: 'ADD_ON' });
  const { debitSeq } = await debit(app, one, 5);
  await refund(app, one, debitSeq ?? 0);
  await database.sql(`UPDATE audios SET status = 'FAILED', failure_reason = 'A test'`);
  await debit(app, other, 2);
  await revoke(app, one, lotId, admin);
});
afterEach(() => {
  s3.interfere(() => false);
});
afterAll(async () => {
  await expectSoundLedger(database);
  await app.close(1000);
  await database.drop();
  await s3.close();
  await rm(folder, { recursive: true, force: true });
});

const bucketVariables = ({ bucket }: S3Server): Record<string, string> => ({
  ANCHOR_S3_BUCKET: bucket.name,
  ANCHOR_S3_ENDPOINT: bucket.endpoint,
  ANCHOR_S3_ACCESS_KEY_ID: bucket.credentials.accessKeyId,
  ANCHOR_S3_SECRET_ACCESS_KEY: bucket.credentials.secretAccessKey,
});

const kept = async (): Promise<string[]> =>
  (await readdir(join(folder, 'kept')).catch(() => [])).sort();
const waiting = (): string => join(app.config.dataDir, 'anchors');
const keptText = (name: string): Promise<string> => readFile(join(folder, 'kept', name), 'utf8');
const inBucket = (name: string): Promise<Buffer> => readFile(s3.pathOf(`anchors/${name}`));

const noted = (): Promise<{ id: string; seq: number; statement: string }[]> =>
  database.sql(
    `SELECT target AS id, seq, details->>'statement' AS statement FROM audit_entries
     WHERE action = 'anchor' ORDER BY seq`,
  );

/** One more anchor. @returns the name of its file */
async function anchored(): Promise<string> {
  const before = await kept();
  await runMaintenance(app, 'RECONCILE_CREDITS');
  const [name = ''] = (await kept()).filter((one) => !before.includes(one));
  return name;
}

test('after a reconciliation the statement is in the audit log, the folder and the bucket, and says what the database has', async () => {
  const [end] = await database.sql<{ seq: number; hash: string }>(
    `SELECT last_seq AS seq, encode(head_hash, 'hex') AS hash FROM audit_chain`,
  );
  const name = await anchored();
  expect(name).toMatch(NAME);
  const text = await keptText(name);
  const { first, leaves, last } = linesOf(text);
  expect(first).toEqual({ kind: 'talebank-anchor', format: 1 });
  const statement = statementOf(last.statement);
  expect(statement).toMatchObject(await expectedStatement(database));
  expect(statement['totals']).toHaveLength(3);
  expect(statement['audit']).toEqual(end);
  expect(leaves).toEqual(
    (
      await database.sql<{ leaf: unknown }>(
        `SELECT json_build_array(user_id, last_seq, encode(head_hash, 'hex')) AS leaf
         FROM credit_accounts ORDER BY user_id`,
      )
    ).map(({ leaf }) => leaf),
  );
  const headsOfNothing = leaves.filter(([, seq]) => seq === 0).map(([, , head]) => head);
  expect(new Set(headsOfNothing)).toEqual(new Set(['0'.repeat(64)]));
  const [entry] = (await noted()).slice(-1);
  expect(entry).toEqual({
    id: statement['id'],
    seq: (end?.seq ?? 0) + 1,
    statement: last.statement,
  });
  expect((await inBucket(name)).toString()).toBe(text);
  expect(await readdir(waiting())).toEqual([]);
  const [row] = await database.sql<{ at: Date }>(
    'SELECT anchored_at AS at FROM reconciliations ORDER BY checked_at DESC LIMIT 1',
  );
  expect(row?.at.toISOString()).toBe(statement['at']);
});

test('files are private, sort by their instants, and are never replaced', async () => {
  const first = await anchored();
  const second = await anchored();
  expect(first < second).toBe(true);
  expect(await kept()).toEqual(expect.arrayContaining([first, second]));
  for (const [path, mode] of [
    [join(folder, 'kept'), 0o700],
    [join(folder, 'kept', first), 0o600],
    [waiting(), 0o700],
  ] as const)
    expect((await stat(path)).mode & 0o7777).toBe(mode);
  const other = join(folder, 'other');
  await writeFile(other, 'other');
  const before = await keptText(first);
  for (const place of await openAnchorPlaces(app.config)) {
    s3.interfere((request, response) => {
      if (request.headers['if-none-match'] !== '*') return false;
      response.writeHead(412).end();
      return true;
    });
    await place.keep(first, other);
    place.close();
  }
  expect(await keptText(first)).toBe(before);
  expect((await inBucket(first)).toString()).toBe(before);
  expect((await kept()).filter((name) => !NAME.test(name))).toEqual([]);
});

test('a bucket that does not know the condition takes the file without it', async () => {
  const path = join(folder, 'whole');
  await writeFile(path, 'whole');
  s3.interfere((request, response) => {
    if (request.headers['if-none-match'] === undefined) return false;
    response.writeHead(501).end();
    return true;
  });
  const place = bucketPlace({ ...s3.bucket, prefix: 'anchors/' }, { lockDays: null });
  await place.keep('plain.jsonl', path);
  place.close();
  expect((await inBucket('plain.jsonl')).toString()).toBe('whole');
});

test('a file that another process removes while it is put is kept whole or refused, and ends no process', async () => {
  const place = bucketPlace({ ...s3.bucket, prefix: 'removed/' }, { lockDays: null });
  const path = join(folder, 'removed');
  let kept = 0;
  // A slow machine opens a file late: then more turns are left to it, until one was kept.
  let turns = 0;
  for (; turns < 60 || kept === 0; turns += 1) {
    await writeFile(path, 'whole');
    const keeping = place.keep(`${String(turns)}.jsonl`, path).then(
      () => (kept += 1),
      (error: unknown) => {
        expect(error).toMatchObject({ code: 'ENOENT' });
      },
    );
    for (let turn = 0; turn < turns; turn += 1) await setImmediate();
    await rm(path);
    await keeping;
  }
  place.close();
  const names = Array.from({ length: turns }, (_, turn) => `removed/${String(turn)}.jsonl`);
  const objects = await Promise.all(
    names.map((name) => readFile(s3.pathOf(name), 'utf8').catch(() => null)),
  );
  expect(objects.filter((object) => object !== null)).toEqual(Array(kept).fill('whole'));
});

test('with object lock the bucket is asked to keep the file for so many days, with the checksum that this demands', async () => {
  const headers: Record<string, unknown>[] = [];
  s3.interfere((request) => {
    headers.push(request.headers);
    return false;
  });
  const path = join(folder, 'locked');
  await writeFile(path, 'locked');
  for (const lockDays of [null, 30]) {
    const place = bucketPlace({ ...s3.bucket, prefix: 'anchors/' }, { lockDays });
    await place.keep(`locked-${String(lockDays)}.jsonl`, path);
    place.close();
  }
  const [without, locked] = headers;
  expect(without).not.toHaveProperty('x-amz-object-lock-mode');
  expect(locked).toMatchObject({
    'x-amz-object-lock-mode': 'COMPLIANCE',
    'content-md5': createHash('md5').update('locked').digest('base64'),
  });
  const until = Date.parse(String(locked?.['x-amz-object-lock-retain-until-date']));
  const days = (until - Date.now()) / 86_400_000;
  expect(days).toBeGreaterThan(29.9);
  expect(days).toBeLessThanOrEqual(30);
});

test('while a place is away the statement is in the audit log all the same, and the file comes with the next anchor', async () => {
  const before = await noted();
  await s3.stop();
  await expect(runMaintenance(app, 'RECONCILE_CREDITS')).rejects.toThrow(/An anchor waits in/);
  const [late] = (await noted()).slice(before.length);
  expect(late).toBeDefined();
  expect(await readdir(waiting())).toEqual([`${late?.id ?? ''}.jsonl`]);
  const [unfinished] = await database.sql(
    'SELECT anchored_at FROM reconciliations ORDER BY checked_at DESC LIMIT 1',
  );
  expect(unfinished).toEqual({ anchored_at: null });
  await s3.restart();
  await anchored();
  expect(await readdir(waiting())).toEqual([]);
  const [name = ''] = (await kept()).filter((one) => one.includes(late?.id ?? 'none'));
  expect((await inBucket(name)).toString()).toBe(await keptText(name));
});

test('a file whose statement did not come into the audit log is no anchor, and goes after a day', async () => {
  const name = await anchored();
  const { first, leaves, last } = linesOf(await keptText(name));
  const forged = Buffer.from(
    JSON.stringify({ ...statementOf(last.statement), id: '01a2290d-0000-7000-8000-000000000009' }),
  ).toString('base64url');
  const signed = last.statement.replace(/\.[^.]+\./, `.${forged}.`);
  const lines = [first, ...leaves, { ...last, statement: signed }];
  await mkdir(waiting(), { recursive: true });
  const [young, old] = ['young', 'old'].map((one) => join(waiting(), one)) as [string, string];
  for (const path of [young, old]) {
    await writeFile(path, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
    if (path === old) await utimes(path, new Date(0), new Date(0));
  }
  await anchored();
  expect(await readdir(waiting())).toEqual(['young']);
  expect((await kept()).filter((one) => one.includes('000000000009'))).toEqual([]);
  await rm(young);
});

test('a folder that other users can write to, or that is none, stops the start in words', async () => {
  const [open, file] = [join(folder, 'open'), join(folder, 'file')];
  await mkdir(open);
  await chmod(open, 0o777);
  await writeFile(file, '');
  const start = (path: string): Promise<void> =>
    requireAnchorFolder({ anchors: { ...app.config.anchors, folder: path } });
  await expect(start(open)).rejects.toThrow(/other users can write to it/);
  await expect(start(file)).rejects.toThrow(/must be a folder: .* another ANCHOR_DIR/);
  await expect(start(join(file, 'below'))).rejects.toThrow(/^ANCHOR_DIR is .* cannot be written/);
  await start(join(folder, 'new', 'folder'));
});

test('a statement describes one instant, although movements come in while it is made', async () => {
  const { makeAnchor } = await compiled<typeof MakeAnchor>('services/anchors/make-anchor.js');
  const before = await expectedStatement(database);
  // The first question that is asked of the database is held until the test lets it go on.
  const gate = new pg.Client({ connectionString: database.url });
  await gate.connect();
  await gate.query('SELECT pg_advisory_lock(1)');
  await database.sql(`
    CREATE OR REPLACE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$ BEGIN
      WHILE NOT pg_try_advisory_xact_lock_shared(1) LOOP PERFORM pg_sleep(0.05); END LOOP;
      RETURN date_trunc('milliseconds', clock_timestamp()); END $$`);
  const making = makeAnchor(app, { id: newId(), checks: [] });
  const isAsked = async (): Promise<boolean> => {
    const rows = await database.sql(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`,
    );
    return rows.length > 0;
  };
  await until('it is asked', isAsked);
  await makeAccounts(database, 1);
  // With the session, the lock ends.
  await gate.end();
  await making;
  await database.moveClock(0);
  expect(statementOf((await noted()).at(-1)?.statement ?? '')).toMatchObject(before);
});

test('several processes at once make an anchor each', async () => {
  const other = await openTestApp(database, { ANCHOR_DIR: join(folder, 'kept') });
  const before = [(await kept()).length, (await noted()).length];
  await Promise.all([app, other, app].map((one) => runMaintenance(one, 'RECONCILE_CREDITS')));
  await other.close(1000);
  expect([(await kept()).length, (await noted()).length]).toEqual(before.map((count) => count + 3));
  expect(await readdir(waiting())).toEqual([]);
});

test('a server logs the statement, counts from it, and publishes the key that it is signed with', async () => {
  const outside = join(folder, 'server');
  const talebank = await startTalebank({
    ANCHOR_DIR: outside,
    ...bucketVariables(s3),
    METRICS_TOKEN: 'a token of the test',
  });
  try {
    await newListener(talebank.url);
    const { token } = await administrator(talebank.url);
    await ask(talebank.url, RunMaintenance, { task: 'RECONCILE_CREDITS' }, token);
    await loggedBy(talebank.server, ({ msg }) => msg === 'ledger anchored');
    const logged = talebank.server.logs().filter(({ msg }) => msg === 'ledger anchored');
    const signed = logged.map(({ statement }) => String(statement));
    const jwks = createRemoteJWKSet(new URL('/.well-known/jwks.json', talebank.url));
    const { payload, protectedHeader } = await compactVerify(signed[0] ?? '', jwks);
    expect(protectedHeader).toMatchObject({ alg: 'EdDSA', typ: 'talebank-anchor+jwt' });
    const statement = JSON.parse(Buffer.from(payload).toString()) as Record<string, unknown>;
    expect(statement).toMatchObject(await expectedStatement(talebank.database));
    expect(logged[0]?.['anchor']).toEqual(statement);
    const [name = ''] = await readdir(outside);
    expect(linesOf(await readFile(join(outside, name), 'utf8')).last.statement).toBe(signed[0]);
    expect((await inBucket(name)).length).toBeGreaterThan(0);
    const metrics = await fetch(`${talebank.url}/metrics`, {
      headers: { authorization: 'Bearer a token of the test' },
    });
    const [, seconds] =
      /^talebank_ledger_anchored_timestamp_seconds (.*)$/m.exec(await metrics.text()) ?? [];
    expect(Number(seconds) * 1000).toBeCloseTo(Date.parse(String(statement['at'])), -1);
  } finally {
    await talebank.close();
  }
});
