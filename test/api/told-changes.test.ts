import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import pg from 'pg';
import { pino } from 'pino';
import type * as DbModule from '../../src/infra/db.js';
import type * as Tell from '../../src/services/live/change-sender.js';
import type * as TellSql from '../../src/services/live/change-sender.sql.js';
import { countBlocks } from '../support/blocks.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { compiled } from '../support/compiled.js';
import { until } from '../support/faults.js';

/**
 * What waits in `live_changes` is told once, whatever the order in which those who wrote it commit. No process runs
 * beside the tests, because it would tell some of it itself.
 */
const CHANNEL = 'told';

let database: TestDatabase;
let db: DbModule.Db;
let tell: typeof Tell;
let tellSql: typeof TellSql;
let listener: pg.Client;
let heard: string[] = [];

beforeAll(async () => {
  database = await createDatabase();
  const { createDb } = await compiled<typeof DbModule>('infra/db.js');
  db = createDb({ url: database.url, poolSize: 4, log: pino({ level: 'silent' }) });
  tell = await compiled<typeof Tell>('services/live/change-sender.js');
  tellSql = await compiled<typeof TellSql>('services/live/change-sender.sql.js');
  listener = await connect();
  listener.on('notification', ({ payload }) => heard.push(payload ?? ''));
  await listener.query(`LISTEN ${CHANNEL}`);
});
beforeEach(async () => {
  await database.sql('DELETE FROM live_changes');
  heard = [];
});
afterAll(async () => {
  await listener.end();
  await db.$disconnect();
  await database.drop();
});

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: database.url });
  // The database is dropped while they are connected, if a test fails.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

const noted = (topic: string): string => `INSERT INTO live_changes (topic) VALUES ('${topic}')`;

/** What the listener has heard. Notices come in the order of their commits, so that the last one ends the wait. */
async function told(): Promise<string[]> {
  const end = `end ${crypto.randomUUID()}`;
  await database.sql(`NOTIFY ${CHANNEL}, '${end}'`);
  await until('the notices have come', () => heard.includes(end));
  return heard.filter((topic) => !topic.startsWith('end '));
}

test('a change with a smaller number that commits later is told', async () => {
  const look = tell.createTeller(db, CHANNEL);
  const early = await connect();
  await early.query('BEGIN');
  await early.query(noted('early'));
  for (let round = 1; round <= 3; round += 1) {
    await database.sql(noted(`late ${String(round)}`));
    await look();
    await look();
  }
  expect(await told()).toEqual(['late 1', 'late 2', 'late 3']);
  await early.query('COMMIT');
  await early.end();
  await look();
  expect(await told()).toEqual(['late 1', 'late 2', 'late 3', 'early']);
});

test('a change whose transaction was open before its number was taken is told', async () => {
  const look = tell.createTeller(db, CHANNEL);
  const early = await connect();
  await early.query('BEGIN');
  await early.query('SELECT pg_current_xact_id()');
  await database.sql(noted('late'));
  await look();
  await look();
  await early.query(noted('early'));
  await look();
  await early.query('COMMIT');
  await early.end();
  await look();
  await look();
  expect(await told()).toEqual(['late', 'early']);
});

test('what another process had taken and did not tell is told', async () => {
  const look = tell.createTeller(db, CHANNEL);
  const other = await connect();
  await database.sql(noted('taken'));
  await other.query('BEGIN');
  await other.query('DELETE FROM live_changes');
  await database.sql(noted('free'));
  await look();
  await look();
  expect(await told()).toEqual(['free']);
  await other.query('ROLLBACK');
  await other.end();
  await look();
  expect(await told()).toEqual(['free', 'taken']);
});

test('two processes tell every change of many that commit at once, each once', async () => {
  const looks = [tell.createTeller(db, CHANNEL), tell.createTeller(db, CHANNEL)];
  const writers = await Promise.all(Array.from({ length: 8 }, connect));
  const wanted: string[] = [];
  const write = async (writer: pg.Client, name: number): Promise<void> => {
    for (let round = 0; round < 40; round += 1) {
      const topic = `${String(name)}-${String(round)}`;
      wanted.push(topic);
      await writer.query('BEGIN');
      await writer.query(noted(topic));
      if (round % 3 === 0) await Promise.all(looks.map((look) => look()));
      await writer.query('COMMIT');
    }
  };
  await Promise.all(writers.map(write));
  await Promise.all(writers.map((writer) => writer.end()));
  await Promise.all(looks.map((look) => look()));
  expect((await told()).sort()).toEqual(wanted.sort());
});

test('a look reads nothing of what was told before, while a snapshot keeps all of it', async () => {
  const look = tell.createTeller(db, CHANNEL);
  const reader = await connect();
  await reader.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  await reader.query('SELECT count(*) FROM live_changes');
  await database.sql(`INSERT INTO live_changes (topic) SELECT 'x' FROM generate_series(1, 20000)`);
  await look();
  await database.sql(noted('after'));
  const cold = await blocksOf(tellSql.NOTHING_SEEN);
  expect(cold.oldest).not.toBeNull();
  expect(cold.blocks).toBeGreaterThan(100);
  // Once it was looked, the next look begins where that one ended.
  expect((await blocksOf(cold.seen)).blocks).toBeLessThan(20);
  await look();
  const warm = await blocksOf((await tellSql.lookForChanges(db, cold.seen)).seen);
  expect(warm).toMatchObject({ oldest: null });
  expect(warm.blocks).toBeLessThan(20);
  await reader.query('ROLLBACK');
  await reader.end();
});

/** What a look finds, and how many blocks it reads for that. */
async function blocksOf(
  seen: TellSql.Seen,
): Promise<{ oldest: string | null; seen: TellSql.Seen; blocks: number }> {
  const { result, blocks } = await countBlocks({ db }, ['live_changes'], (tx) =>
    tellSql.lookForChanges(tx, seen),
  );
  return { ...result, blocks };
}
