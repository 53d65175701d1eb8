import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { chmod, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import type { NarrationJob } from '../../src/services/queues.js';
import type * as Making from '../../src/services/narrations/synthesis/make-narration.js';
import { openTestApp } from '../support/app.js';
import { ask, execute, send } from '../support/client.js';
import { MID_MONTH } from '../support/cluster.js';
import { compiled } from '../support/compiled.js';
import { isAlive, until } from '../support/faults.js';
import { Narrate, RunMaintenance, UpdateProfile, Wallet } from '../support/operations.js';
import {
  administrator,
  englishVoice,
  grantTo,
  narrate,
  newListener,
  newStory,
  waitForAudio,
} from '../support/people.js';
import {
  startTalebank,
  type Environment,
  type ServerProcess,
  type Talebank,
} from '../support/talebank.js';

const run = promisify(execFile);
const DAY_MS = 86_400_000;

let talebank: Talebank;

/** Starts a server that the tests of a group share. */
function startOnce(environment: Environment = {}, options: { clockAt?: string } = {}): void {
  beforeAll(async () => {
    talebank = await startTalebank(environment, options);
  });
  afterAll(() => talebank.close());
}

/** The lines about tries that failed, which may come a moment after the answer. */
const failuresOf = (server: ServerProcess, audioId: string): Record<string, unknown>[] =>
  server
    .logs()
    .filter((line) => line['msg'] === 'a try to narrate failed' && line['audioId'] === audioId);

/** The speaking processes of a server. */
async function speakersOf(server: ServerProcess): Promise<number[]> {
  const { stdout } = await run('ps', ['-eo', 'pid=,ppid=,args=']);
  return stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, parent, ...words]) =>
        Number(parent) === server.child.pid && words.join(' ').includes('espeak-process'),
    )
    .map(([pid]) => Number(pid));
}

describe('a server as it comes', () => {
  startOnce();

  test('a text that cannot be spoken ends as FAILED, at once, and the points come back', async () => {
    const { url } = talebank;
    const admin = await administrator(url);
    const listener = await newListener(url);
    const story = await newStory(url, admin, { content: '… ?! …' });
    const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
    const audio = await waitForAudio(url, listener, audioId);
    expect(audio).toMatchObject({
      status: 'FAILED',
      creditsCharged: 0,
      url: null,
      transactions: [
        { type: 'DEBIT', amount: -1 },
        { type: 'REFUND', amount: 1, debit: { seq: 2 } },
      ],
    });
    expect(audio.failureReason).toMatch(/cannot be spoken/);
    const { me } = await ask(url, Wallet, {}, listener.token);
    expect(me?.credits.balance).toBe(10);

    // Trying again is a new attempt, charged anew and given back anew.
    const again = await narrate(url, listener, story.id, await englishVoice(url));
    expect(again).toMatchObject({ audioId, charged: true });
    const failed = await waitForAudio(url, listener, audioId, ['FAILED']);
    expect(failed.transactions.map(({ type }) => type)).toEqual([
      'DEBIT',
      'REFUND',
      'DEBIT',
      'REFUND',
    ]);
  });

  test('while the database is away the server says BUSY, and goes on when it is back', async () => {
    const { url, database } = talebank;
    const admin = await administrator(url);
    const listener = await newListener(url);
    const story = await newStory(url, admin);
    const voiceId = await englishVoice(url);
    await database.setReachable(false);
    const refused = await execute(
      url,
      Narrate,
      { input: { storyId: story.id, voiceId } },
      { token: listener.token },
    );
    expect(refused.errors[0]?.extensions.code).toBe('BUSY');
    expect(refused.status).toBe(503);
    // What cannot be looked for is not said to be missing.
    const node = await send(url, `{ node(id: "${story.id}") { id } }`);
    expect(node.errors[0]?.extensions.code).toBe('BUSY');
    expect((await fetch(`${url}/readyz`)).status).toBe(503);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    await database.setReachable(true);
    await until('it is ready again', async () => (await fetch(`${url}/readyz`)).ok);
    const { audioId } = await narrate(url, listener, story.id, voiceId);
    expect(await waitForAudio(url, listener, audioId)).toMatchObject({ status: 'READY' });
  });
});

describe('a server that tries again at once', () => {
  startOnce({
    SYNTHESIS_RETRIES: '2',
    SYNTHESIS_RETRY_DELAY_SECONDS: '0',
    SYNTHESIS_CONCURRENCY: '1',
  });

  test('when the retries are spent the narration is FAILED and its points are given back', async () => {
    const { url, dataDir } = talebank;
    const admin = await administrator(url);
    const listener = await newListener(url);
    const story = await newStory(url, admin);
    const voiceId = await englishVoice(url);
    // A storage that cannot be written is a passing failure, however often it is tried.
    await rm(join(dataDir, 'audio'), { recursive: true });
    await run('sh', ['-c', `echo in the way > ${join(dataDir, 'audio')}`]);
    const { audioId } = await narrate(url, listener, story.id, voiceId);
    const audio = await waitForAudio(url, listener, audioId, ['FAILED'], 180_000);
    expect(audio).toMatchObject({
      creditsCharged: 0,
      transactions: [{ type: 'DEBIT' }, { type: 'REFUND' }],
    });
    await until('each try is logged', () => failuresOf(talebank.server, audioId).length >= 3);
    expect(failuresOf(talebank.server, audioId)).toHaveLength(3);

    // And when the storage is back, asking again makes it.
    await rm(join(dataDir, 'audio'));
    await chmod(dataDir, 0o755);
    await narrate(url, listener, story.id, voiceId);
    expect(await waitForAudio(url, listener, audioId, ['READY'])).toMatchObject({
      creditsCharged: 1,
    });
  });

  test('a speaking process that is killed is replaced, and the narration is made', async () => {
    const { url, server } = talebank;
    const admin = await administrator(url);
    const listener = await newListener(url);
    const story = await newStory(url, admin, { length: 3000 });
    const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
    await until('someone speaks', async () => (await speakersOf(server)).length > 0);
    for (const pid of await speakersOf(server)) process.kill(pid, 'SIGKILL');
    expect(await waitForAudio(url, listener, audioId)).toMatchObject({
      status: 'READY',
      creditsCharged: 3,
    });
  });
});

describe('a server of the API, and workers beside it', () => {
  startOnce({ ROLE: 'api' });

  test('a delivery that its job was taken from takes nothing from the next one', async () => {
    const { url, database, dataDir } = talebank;
    const listener = await newListener(url);
    const story = await newStory(url, await administrator(url));
    const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
    // As pg-boss leaves it when the first worker is not heard of any more, and a second one has taken it.
    const [job] = await database.sql<{ id: string; data: NarrationJob }>(
      `UPDATE pgboss.job SET state = 'active', retry_count = 1, started_on = now()
     WHERE data->>'audioId' = $1 RETURNING id, data`,
      [audioId],
    );
    if (job === undefined) throw new Error('There is no job.');
    const { makeNarration } = await compiled<typeof Making>(
      'services/narrations/synthesis/make-narration.js',
    );
    const app = await openTestApp(database, { DATA_DIR: dataDir });
    const deliver = (retryCount: number): Promise<void> => {
      const { signal } = new AbortController();
      return makeNarration(app, { id: job.id, payload: job.data, retryCount, signal });
    };
    try {
      await deliver(0);
      const standing = await database.sql('SELECT status, claim FROM audios WHERE id = $1', [
        audioId,
      ]);
      expect(standing).toEqual([{ status: 'QUEUED', claim: 0 }]);
      await deliver(1);
      expect(await waitForAudio(url, listener, audioId)).toMatchObject({ status: 'READY' });
      await deliver(1);
    } finally {
      await app.close(5_000);
    }
  });

  test('while the database takes no writes the server says BUSY and reads on, and is not ready', async () => {
    const { url, database } = talebank;
    const listener = await newListener(url);
    const name = new URL(database.url).pathname.slice(1);
    await database.sql(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
    // All sessions connect anew, as after a failover.
    await database.setReachable(true);
    await until('it is seen', async () => (await fetch(`${url}/readyz`)).status === 503);
    const input = { displayName: 'Ania' };
    const refused = await execute(url, UpdateProfile, input, { token: listener.token });
    expect([refused.status, refused.errors[0]?.extensions.code]).toEqual([503, 'BUSY']);
    expect((await send(url, '{ stories { nodes { id } } }')).errors).toEqual([]);
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query('SET default_transaction_read_only = off');
    await client.query(`ALTER DATABASE ${name} RESET default_transaction_read_only`);
    await client.end();
    await database.setReachable(true);
    await until('it is ready again', async () => (await fetch(`${url}/readyz`)).ok);
    expect(await ask(url, UpdateProfile, input, listener.token)).toEqual({
      updateProfile: { displayName: 'Ania' },
    });
  });

  test('a worker killed in the middle: another one takes over within a minute, charged once', async () => {
    const { url, database } = talebank;
    const first = await talebank.join({ ROLE: 'worker' });
    const admin = await administrator(url);
    const listener = await newListener(url);
    const story = await newStory(url, admin, { length: 4000 });
    const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
    await waitForAudio(url, listener, audioId, ['PROCESSING']);
    const speakers = await speakersOf(first);
    await first.kill();
    const killedAt = Date.now();
    await until('the speakers are gone', () => !speakers.some(isAlive));
    const second = await talebank.join({ ROLE: 'worker' });
    const startedAt = Date.now();
    // Not the processes, because listing them for a minute takes much of a processor.
    await until(
      'the second worker has it',
      async () => {
        const [audio] = await database.sql('SELECT claim FROM audios WHERE id = $1', [audioId]);
        return audio?.['claim'] === 2;
      },
      180_000,
    );
    // A minute, and more where the second worker took long to start, because the machine is slow then.
    expect(Date.now() - killedAt).toBeLessThan(60_000 + 10 * (startedAt - killedAt));
    const audio = await waitForAudio(url, listener, audioId, ['READY', 'FAILED'], 180_000);
    await second.stop();
    expect(audio).toMatchObject({ status: 'READY', creditsCharged: 4 });
    expect(audio.transactions.length).toBe(1);
  }, 300_000);
});

describe('a server of the API whose workers try again at once', () => {
  startOnce({
    ROLE: 'api',
    SYNTHESIS_RETRIES: '2',
    SYNTHESIS_RETRY_DELAY_SECONDS: '0',
  });

  (process.platform === 'linux' ? test : test.skip)(
    'a full disk is a passing failure: tried again, and given back when it stays full',
    async () => {
      const { url, dataDir } = talebank;
      // A disk of its own for the worker, in a namespace that goes with it.
      const mount = 'mount -t tmpfs -o size=128k tmpfs "$0" && exec "$@"';
      const user = process.getuid?.() === 0 ? [] : ['--map-root-user'];
      const under = ['unshare', ...user, '--mount', 'sh', '-c', mount, join(dataDir, 'audio')];
      const cramped = await talebank.join({ ROLE: 'worker' }, { under });
      const admin = await administrator(url);
      const listener = await newListener(url);
      const story = await newStory(url, admin, { length: 1100 });
      const voiceId = await englishVoice(url);
      const { audioId } = await narrate(url, listener, story.id, voiceId);
      const audio = await waitForAudio(url, listener, audioId, ['FAILED'], 180_000);
      expect(audio).toMatchObject({
        creditsCharged: 0,
        failureReason: 'The recording could not be made.',
        transactions: [{ type: 'DEBIT' }, { type: 'REFUND', amount: 2 }],
      });
      await until('each try is logged', () => failuresOf(cramped, audioId).length >= 3);
      const failures = failuresOf(cramped, audioId);
      expect(failures).toHaveLength(3);
      expect(JSON.stringify(failures[0])).toContain('ENOSPC');
      await cramped.stop();

      // Where there is room, asking again makes it.
      await talebank.join({ ROLE: 'worker' });
      await narrate(url, listener, story.id, voiceId);
      await waitForAudio(url, listener, audioId, ['READY']);
    },
  );
});

describe('a server whose clock is moved', () => {
  // No worker may take the job before the clock has moved.
  startOnce({ ROLE: 'api' }, { clockAt: MID_MONTH });

  test('points of a lot that lapsed meanwhile come back in a lot that lives a while', async () => {
    const { url, database } = talebank;
    const admin = await administrator(url);
    const listener = await newListener(url);
    const expiresAt = database.ledgerTime(3 * DAY_MS).toISOString();
    const lotId = await grantTo(url, admin, listener, { amount: 5, source: 'EVENT', expiresAt });
    const story = await newStory(url, admin, { content: '?!' });
    const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
    await database.moveClock(4 * DAY_MS);
    // What lapses within a week from here has been told.
    await ask(url, RunMaintenance, { task: 'MAKE_NOTICES' }, admin.token);
    await talebank.join({ ROLE: 'worker' });
    await waitForAudio(url, listener, audioId, ['FAILED']);
    const { me } = await ask(url, Wallet, {}, listener.token);
    expect(me?.creditHistory.nodes.map(({ type, amount }) => `${type} ${String(amount)}`)).toEqual([
      'GRANT 1',
      'EXPIRY -1',
      'REFUND 1',
      'DEBIT -1',
      'GRANT 5',
      'GRANT 10',
    ]);
    const [grace] = me?.creditLots.nodes ?? [];
    expect(grace).toMatchObject({
      source: 'EVENT',
      granted: 1,
      remaining: 1,
      parent: { id: lotId },
    });
    const livesMs = Date.parse(grace?.expiresAt ?? '') - database.ledgerTime().getTime();
    expect(Math.abs(livesMs - 3 * DAY_MS)).toBeLessThan(3_600_000);
    expect(me?.credits.balance).toBe(11);
    // These points have no notice of a grant, so their lapse is told at once.
    const toldLapses = async (): Promise<unknown[]> => {
      await ask(url, RunMaintenance, { task: 'MAKE_NOTICES' }, admin.token);
      const query = '{ me { notices(first: 9) { nodes { kind points lapsesAt } } } }';
      const { data } = await send<{ me: { notices: { nodes: { kind: string }[] } } }>(
        url,
        query,
        {},
        { token: listener.token },
      );
      return (data?.me.notices.nodes ?? []).filter(({ kind }) => kind === 'POINTS_LAPSE');
    };
    await until('the lapse is told', async () => (await toldLapses()).length > 0);
    expect(await toldLapses()).toEqual([
      { kind: 'POINTS_LAPSE', points: 1, lapsesAt: grace?.expiresAt },
    ]);
    await ask(url, RunMaintenance, { task: 'EXPIRE_CREDITS' }, admin.token);
  });
});
