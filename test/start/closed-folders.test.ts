import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ask } from '../support/client.js';
import { Login } from '../support/operations.js';
import { newListener } from '../support/people.js';
import { CAN_BE_A_STRANGER, command, socketFolderOf } from '../support/starting.js';
import { startServer } from '../support/talebank.js';

// Root starts Postgres as another user. Other users start it as themselves, so that closed folders are no obstacle.
const asRoot = CAN_BE_A_STRANGER ? test : test.skip;

let closed: string;
beforeEach(async () => {
  // With mode 0700.
  closed = await mkdtemp(join(tmpdir(), 'talebank ä '));
});
afterEach(() => rm(closed, { recursive: true, force: true }));

asRoot('root keeps DATA_DIR in a folder that no other user can enter', async () => {
  const dataDir = join(closed, 'data');
  const first = await startServer({ DATA_DIR: dataDir });
  const { email } = await newListener(first.url);
  // Commands find the database that runs.
  expect(await socketFolderOf(dataDir)).toBe(join(dataDir, 'postgres', 'socket'));
  expect(await command('ledger', ['verify'], { DATA_DIR: dataDir })).toMatchObject({
    code: 0,
    said: expect.stringContaining('Sound: ') as unknown,
  });
  await first.kill();
  const second = await startServer({ DATA_DIR: dataDir });
  await ask(second.url, Login, { input: { email, password: 'a good password' } });
  await second.stop();
  // Commands start the database where none runs.
  expect(await command('ledger', ['verify'], { DATA_DIR: dataDir })).toMatchObject({ code: 0 });
  expect((await stat(closed)).mode & 0o777).toBe(0o700);
});
