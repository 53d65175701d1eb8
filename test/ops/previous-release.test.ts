import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { send } from '../support/client.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { expectSoundLedger } from '../support/invariants.js';
import { administrator, englishVoice, newStory, waitForAudio } from '../support/people.js';
import { createDoors, startLoad } from '../support/rolling.js';
import { command } from '../support/starting.js';
import { ADMIN, startServer, type ServerProcess } from '../support/talebank.js';

/**
 * The folder of the release before this one, built (`npm ci` in a checkout of it). Without it the test is left out,
 * because a checkout of this release has no other one.
 */
const PREVIOUS = process.env['PREVIOUS_RELEASE'];

let database: TestDatabase;
let dataDir: string;
const processes: ServerProcess[] = [];

beforeAll(async () => {
  database = await createDatabase({ locale: '' });
  dataDir = await mkdtemp(join(tmpdir(), 'talebank-update-'));
});
afterAll(async () => {
  await Promise.all(processes.map((one) => one.stop()));
  await database.drop();
  await rm(dataDir, { recursive: true, force: true });
});

(PREVIOUS === undefined ? test.skip : test)(
  'processes of PREVIOUS_RELEASE and of this release serve side by side during an update',
  async () => {
    const settings = {
      DATABASE_URL: database.url,
      DATA_DIR: dataDir,
      ADMIN_EMAIL: ADMIN.email,
      ADMIN_PASSWORD: ADMIN.password,
      INITIAL_CREDITS: '1000',
      WEB: 'false',
    };
    const doors = createDoors();
    const open = async (main?: string): Promise<ServerProcess> => {
      const server = await startServer(settings, main === undefined ? {} : { main });
      processes.push(server);
      doors.add(server);
      return server;
    };
    const previousMain = join(PREVIOUS ?? '', 'dist/main.js');
    const old = [await open(previousMain), await open(previousMain)] as const;
    const { url } = old[0];
    const admin = await administrator(url);
    const voiceId = await englishVoice(url);
    const stories: string[] = [];
    for (let count = 0; count < 20; count += 1) stories.push((await newStory(url, admin)).id);
    const load = startLoad(doors, { stories, voiceId, admin });
    await load.round();

    const migrated = await command('migrate', [], { DATABASE_URL: database.url });
    expect([migrated.code, migrated.said]).toEqual([0, expect.stringMatching(/./)]);
    await load.round();
    const fresh = [await open(), await open()];
    await load.round();

    // An old process writes a story, and a new one sorts it by its folded title.
    const writer = await administrator(old[1].url);
    const [second, first] = [
      await newStory(old[1].url, writer, { title: 'ZEBRA' }),
      await newStory(old[1].url, writer, { title: 'Ärger' }),
    ];
    const query = '{ stories(first: 100, order: TITLE) { nodes { id } } }';
    const sorted = await send<{ stories: { nodes: { id: string }[] } }>(fresh[0]?.url ?? '', query);
    expect(sorted.errors).toEqual([]);
    const ids = sorted.data?.stories.nodes.map(({ id }) => id) ?? [];
    expect(ids.at(-1)).toBe(second.id);
    expect(ids[0]).toBe(first.id);
    expect(await database.sql('SELECT title FROM stories WHERE title_key IS NULL')).toEqual([]);

    for (const server of old) await doors.stop(server);
    await load.round();
    await load.stop();
    const here = fresh[0]?.url ?? '';
    for (const { audioId, person } of load.narrated)
      expect((await waitForAudio(here, person, audioId)).status).toBe('READY');
    const booked = await database.sql<{ key: string; count: number }>(
      `SELECT reason AS key, count(*)::int FROM credit_transactions
       WHERE reason LIKE 'load-%' GROUP BY 1`,
    );
    expect(new Map(booked.map(({ key, count }) => [key, count]))).toEqual(
      new Map([...load.granted.keys()].map((key) => [key, 1])),
    );
    expect([...load.answers.keys()].filter((name) => !name.endsWith(' ok'))).toEqual([]);
    console.info(Object.fromEntries(load.answers));
    await expectSoundLedger(database);
    const verified = await command('ledger', ['verify'], { DATABASE_URL: database.url });
    expect([verified.code, verified.said]).toEqual([0, expect.anything()]);
  },
);
