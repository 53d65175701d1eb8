import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type * as Session from '../../src/infra/connections/session.js';
import { ask } from '../support/client.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { compiled } from '../support/compiled.js';
import { followTyped, stopFollowing } from '../support/events.js';
import { until } from '../support/faults.js';
import { expectSoundLedger } from '../support/invariants.js';
import { CreditsUpdated, Wallet } from '../support/operations.js';
import {
  administrator,
  englishVoice,
  grantTo,
  narrate,
  newListener,
  newStory,
  waitForAudio,
} from '../support/people.js';
import { startPgBouncer, type Pooler } from '../support/pgbouncer.js';
import { ADMIN, startServer, type ServerProcess } from '../support/talebank.js';

let database: TestDatabase;
let dataDir: string;
let pooler: Pooler;
const servers: ServerProcess[] = [];
let server: ServerProcess;
let elsewhere: ServerProcess;

beforeAll(async () => {
  database = await createDatabase();
  const name = new URL(database.url).pathname.slice(1);
  // Sessions that were not pinned would shift every instant by nine hours, and end long statements.
  await database.sql(`ALTER DATABASE ${name} SET TimeZone = 'Asia/Tokyo'`);
  await database.sql(`ALTER DATABASE ${name} SET statement_timeout = '5s'`);
  dataDir = await mkdtemp(join(tmpdir(), 'talebank-pooled-'));
  pooler = await startPgBouncer(database.url);
  const environment = {
    DATABASE_URL: pooler.url,
    DATA_DIR: dataDir,
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
  };
  server = await startServer(environment);
  servers.push(server);
  elsewhere = await startServer({ ...environment, ROLE: 'api' });
  servers.push(elsewhere);
});
afterEach(stopFollowing);
afterAll(async () => {
  try {
    await expectSoundLedger(database);
  } finally {
    await Promise.all(servers.map((one) => one.stop()));
    await pooler.close();
    await database.drop();
    await rm(dataDir, { recursive: true, force: true });
  }
});

/** Orders, pays, narrates, and follows the points at another process, so that every kind of connection is used. */
async function expectService(): Promise<void> {
  const admin = await administrator(server.url);
  const listener = await newListener(server.url);
  const followed = await followTyped(elsewhere.url, CreditsUpdated, {}, listener.token);
  await until('it has begun', () => followed.events.length > 0);
  const expiresAt = new Date(Date.now() + 30 * 86_400_000).toISOString();
  const idempotencyKey = `pooled-${listener.id}`;
  const lotId = await grantTo(server.url, admin, listener, { expiresAt, idempotencyKey });
  await until('it is told', () => followed.events.length > 1);
  const story = await newStory(server.url, admin);
  const voiceId = await englishVoice(server.url);
  const { audioId } = await narrate(server.url, listener, story.id, voiceId);
  expect(await waitForAudio(elsewhere.url, listener, audioId)).toMatchObject({ status: 'READY' });
  const { me } = await ask(server.url, Wallet, {}, listener.token);
  const lot = me?.creditLots.nodes.find(({ id }) => id === lotId);
  expect(Date.parse(lot?.expiresAt ?? '')).toBe(Date.parse(expiresAt));
  const [row] = await database.sql<{ expires: Date; hours: number }>(
    `SELECT expires_at AS expires, abs(extract(epoch FROM granted_at - now()))::float / 3600 AS hours
     FROM credit_lots WHERE id = $1`,
    [lotId],
  );
  expect(row?.expires).toEqual(new Date(expiresAt));
  expect(row?.hours).toBeLessThan(1);
}

test('everything works through PgBouncer in session mode, also after it was restarted', async () => {
  await expectService();
  await pooler.restart();
  for (const { url } of [server, elsewhere])
    await until('it is ready again', async () => (await fetch(`${url}/readyz`)).status === 200);
  await expectService();
});

test('a statement that takes long is not taken for one whose answer is lost', async () => {
  const { createPool } = await compiled<typeof Session>('infra/connections/session.js');
  const lost: Error[] = [];
  const options = { purpose: 'test', connectTimeoutMs: 60_000, connectionsMax: 1 };
  const pool = createPool(pooler.url, options, (error) => lost.push(error));
  try {
    expect((await pool.query('SELECT pg_sleep(8), 1 AS one')).rows).toMatchObject([{ one: 1 }]);
    expect(lost).toEqual([]);
  } finally {
    await pool.end();
  }
});
