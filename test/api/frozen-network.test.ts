import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type * as Session from '../../src/infra/connections/session.js';
import { ask, execute, send, type Answer } from '../support/client.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { compiled } from '../support/compiled.js';
import { openDoor, type Door } from '../support/door.js';
import { followTyped, stopFollowing } from '../support/events.js';
import { until } from '../support/faults.js';
import { expectSoundLedger } from '../support/invariants.js';
import { CreditsUpdated, Narrate } from '../support/operations.js';
import {
  administrator,
  englishVoice,
  grantTo,
  newListener,
  newStory,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { ADMIN, startServer, type ServerProcess } from '../support/talebank.js';

let database: TestDatabase;
let dataDir: string;
let door: Door;
let server: ServerProcess;
let url: string;
let admin: Person;
let voiceId: string;

const openOwnDoor = (): Promise<Door> => openDoor(() => Number(new URL(database.url).port));
const through = ({ port }: Door): string => {
  const address = new URL(database.url);
  address.host = `127.0.0.1:${String(port)}`;
  return address.href;
};
const startBehind = (itsDoor: Door): Promise<ServerProcess> =>
  startServer({
    DATABASE_URL: through(itsDoor),
    DATA_DIR: dataDir,
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
  });

beforeAll(async () => {
  database = await createDatabase();
  dataDir = await mkdtemp(join(tmpdir(), 'talebank-frozen-'));
  door = await openOwnDoor();
  server = await startBehind(door);
  ({ url } = server);
  admin = await administrator(url);
  voiceId = await englishVoice(url);
});
afterEach(stopFollowing);
afterAll(async () => {
  try {
    await expectSoundLedger(database);
  } finally {
    await server.kill();
    door.close();
    await database.drop();
    await rm(dataDir, { recursive: true, force: true });
  }
});

const probe = async (path: string): Promise<number> => (await fetch(`${url}${path}`)).status;
const untilReady = (): Promise<void> =>
  until('it is ready', async () => (await probe('/readyz')) === 200);

const code = ({ status, errors }: Answer<unknown>): unknown => [status, errors[0]?.extensions.code];
const BUSY = [503, 'BUSY'];

interface Order {
  readonly person: Person;
  readonly input: { storyId: string; voiceId: string; idempotencyKey: string };
}

let orders = 0;
async function newOrder(): Promise<Order> {
  orders += 1;
  const [person, story] = [await newListener(url), await newStory(url, admin)];
  const idempotencyKey = `a-frozen-order-${String(orders)}-`;
  return { person, input: { storyId: story.id, voiceId, idempotencyKey } };
}

const order = ({ person, input }: Order, at = url): Promise<Answer<unknown>> =>
  execute(at, Narrate, { input }, { token: person.token });

/** Repeats an order with its key until it is answered, and expects that it was charged once and is carried out. */
async function expectChargedOnce({ person, input }: Order): Promise<void> {
  const { synthesizeAudio } = await ask(url, Narrate, { input }, person.token);
  const debits = await database.sql<{ audio_id: string }>(
    `SELECT audio_id FROM credit_transactions WHERE user_id = $1 AND type = 'DEBIT'`,
    [person.id],
  );
  expect(debits).toEqual([{ audio_id: synthesizeAudio.audio.id }]);
  expect(synthesizeAudio.balance).toBe(9);
}

test('a COMMIT that is lost, or whose answer is lost, is BUSY, and repeating it charges once', async () => {
  const [never, late, answered] = [await newOrder(), await newOrder(), await newOrder()];
  const lose = async (lost: Order, where: 'before' | 'after'): Promise<void> => {
    const frozen = door.freezeAtCommit(where, lost.input.idempotencyKey);
    const answer = order(lost);
    await frozen;
    expect(code(await answer)).toEqual(BUSY);
  };
  // One connection freezes for each, and the others still work.
  await Promise.all([
    lose(never, 'before').then(() => expectChargedOnce(never)),
    lose(answered, 'after').then(() => expectChargedOnce(answered)),
  ]);
  expect(await probe('/readyz')).toBe(200);
  // The COMMIT arrives after its request was answered, while the same key is repeated.
  await lose(late, 'before');
  const repeated = expectChargedOnce(late);
  door.thaw();
  await repeated;
  for (const { person } of [never, late, answered]) {
    const audios = await database.sql<{ id: string }>('SELECT id FROM audios WHERE user_id = $1', [
      person.id,
    ]);
    expect(audios).toHaveLength(1);
    await waitForAudio(url, person, audios[0]?.id ?? '', ['READY']);
  }
});

test.each([
  [
    'thaws',
    () => {
      door.thaw();
    },
  ],
  [
    'loses all connections',
    () => {
      door.cut();
    },
  ],
])(
  'while the network is frozen the server is BUSY, and it recovers when the network %s',
  async (_name, end) => {
    const repeated = await newOrder();
    const inFlight = [repeated, await newOrder(), await newOrder()];
    const answers = inFlight.map((one) => order(one));
    door.freeze();
    const later = await order(repeated);
    expect(code(later)).toEqual(BUSY);
    for (const answer of await Promise.all(answers))
      expect([[200, undefined], BUSY]).toContainEqual(code(answer));
    expect(await probe('/readyz')).toBe(503);
    expect(await probe('/healthz')).toBe(200);
    expect(code(await send(url, '{ stories { nodes { id } } }'))).toEqual(BUSY);
    expect(server.child.exitCode).toBeNull();
    end();
    await untilReady();
    await Promise.all(inFlight.map(expectChargedOnce));
    // The queue and the notices have new connections too.
    for (const { person } of inFlight) {
      const [audio] = await database.sql<{ id: string }>(
        'SELECT id FROM audios WHERE user_id = $1',
        [person.id],
      );
      await waitForAudio(url, person, audio?.id ?? '', ['READY']);
    }
    const followed = await followTyped(url, CreditsUpdated, {}, admin.token);
    await until('it has begun', () => followed.events.length > 0);
    await grantTo(url, admin, admin);
    await until('it is told', () => followed.events.length > 1);
  },
);

test('a statement that takes long is waited for, and one whose connection is frozen is not', async () => {
  const { createPool } = await compiled<typeof Session>('infra/connections/session.js');
  const own = await openOwnDoor();
  const lost: Error[] = [];
  const options = { purpose: 'test', connectTimeoutMs: 60_000, connectionsMax: 2 };
  const pool = createPool(through(own), options, (error) => lost.push(error));
  try {
    await Promise.all([pool.query('SELECT 1'), pool.query('SELECT 2')]);
    expect((await pool.query('SELECT pg_sleep(8), 1 AS one')).rows).toMatchObject([{ one: 1 }]);
    expect(lost).toEqual([]);
    own.freeze();
    await expect(pool.query('SELECT 1')).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    expect(lost).toHaveLength(1);
  } finally {
    own.close();
    await pool.end();
  }
});

test('a server that is told to stop while the network is frozen answers and ends in order', async () => {
  const own = await openOwnDoor();
  const other = await startBehind(own);
  try {
    const last = await newOrder();
    const frozen = own.freezeAtCommit('before', last.input.idempotencyKey);
    const answer = order(last, other.url);
    await frozen;
    own.freeze();
    await Promise.all([other.stop(), expect(answer.then(code)).resolves.toEqual(BUSY)]);
    expect(other.child.exitCode).toBe(0);
    await expectChargedOnce(last);
  } finally {
    await other.kill();
    own.close();
  }
});
