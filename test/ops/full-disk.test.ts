import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execute, send } from '../support/client.js';
import { operate } from '../support/cluster.js';
import { until } from '../support/faults.js';
import { expectSoundLedger } from '../support/invariants.js';
import { Narrate } from '../support/operations.js';
import {
  administrator,
  englishVoice,
  grantTo,
  newListener,
  newStory,
  type Person,
} from '../support/people.js';
import {
  startSmallDiskPostgres,
  type Disk,
  type SmallDiskPostgres,
} from '../support/small-disk-postgres.js';
import { ADMIN, startServer, type ServerProcess } from '../support/talebank.js';

const CLIENTS = 4;
/** Only root may mount the small disks. */
const isRoot = process.getuid?.() === 0;
const onlyRoot = isRoot ? test : test.skip;

let postgres: SmallDiskPostgres;
let operator: ReturnType<typeof operate>;
let server: ServerProcess;
let dataDir: string;

beforeAll(async () => {
  if (!isRoot) return;
  postgres = await startSmallDiskPostgres({ size: '160m' });
  operator = operate(postgres.url);
  dataDir = await mkdtemp(join(tmpdir(), 'talebank-full-disk-'));
  server = await startServer({
    DATABASE_URL: postgres.url,
    DATA_DIR: dataDir,
    ROLE: 'api',
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
  });
});
afterAll(async () => {
  if (!isRoot) return;
  await server.stop();
  await operator.close();
  await postgres.close();
  await rm(dataDir, { recursive: true, force: true });
});

/** The keys of the acknowledged debits with their narrations, and how often each other answer came. */
interface Told {
  readonly debits: Map<string, string>;
  readonly codes: Map<string, number>;
}

/** Orders one story after the other, each again until it is charged, as clients do. */
async function keepOrdering(
  told: Told,
  { person, stories, voiceId }: { person: Person; stories: readonly string[]; voiceId: string },
): Promise<void> {
  for (const [index, storyId] of stories.entries()) {
    const key = `full-disk-${person.id}-${String(index)}`;
    const input = { storyId, voiceId, idempotencyKey: key };
    for (;;) {
      const { data, errors } = await execute(
        server.url,
        Narrate,
        { input },
        { token: person.token },
      );
      if (data !== null && errors.length === 0) {
        told.debits.set(key, data.synthesizeAudio.audio.id);
        break;
      }
      const code = errors[0]?.extensions.code ?? 'none';
      told.codes.set(code, (told.codes.get(code) ?? 0) + 1);
      await sleep(50);
    }
  }
}

onlyRoot.each<Disk>(['tables', 'log'])(
  'a full disk of the %s makes orders BUSY, and loses nothing that was acknowledged',
  async (disk) => {
    const { url } = server;
    const told: Told = { debits: new Map(), codes: new Map() };
    const admin = await administrator(url);
    const voiceId = await englishVoice(url);
    const stories = await Promise.all(
      Array.from({ length: 60 }, async () => (await newStory(url, admin)).id),
    );
    const people = await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        const person = await newListener(url);
        await grantTo(url, admin, person, { amount: 1000 });
        return person;
      }),
    );
    const ordering = people.map((person) => keepOrdering(told, { person, stories, voiceId }));
    await until('some are charged', () => told.debits.size > CLIENTS);
    const before = postgres.troubles();
    await postgres.fill(disk);
    await until('Postgres has no room', async () => {
      // Uses up the segments of the log that are there already.
      await operator.sql('SELECT pg_switch_wal()').catch(() => undefined);
      const { refused, crashed } = postgres.troubles();
      return disk === 'log' ? crashed > before.crashed : refused > before.refused;
    });
    await until('orders are refused', () => (told.codes.get('BUSY') ?? 0) > CLIENTS);
    const charged = told.debits.size;
    expect(charged).toBeLessThan(CLIENTS * stories.length);
    expect(server.child.exitCode).toBeNull();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    await postgres.makeRoom(disk);
    await Promise.all(ordering);

    expect(told.debits.size).toBe(CLIENTS * stories.length);
    expect([...told.codes.keys()]).toEqual(['BUSY']);
    expect((await send(url, '{ stories { nodes { id } } }')).errors).toEqual([]);
    await until('it is ready', async () => (await fetch(`${url}/readyz`)).status === 200);
    const debits = await operator.sql<{ audio_id: string }>(
      `SELECT audio_id FROM credit_transactions WHERE type = 'DEBIT' AND user_id = ANY($1)`,
      [people.map(({ id }) => id)],
    );
    expect(debits.map(({ audio_id }) => audio_id).sort()).toEqual([...told.debits.values()].sort());
    await expectSoundLedger(operator);
  },
);
