import { mkdtemp, readdir, rename, rm, statfs, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import pg from 'pg';
import { SMTPServer } from 'smtp-server';
import { CERTIFICATE, EXPIRED_CERTIFICATE } from '../support/certificate.js';
import { ask, execute, send } from '../support/client.js';
import { PATIENCE_MS, until } from '../support/faults.js';
import {
  BulkGrant,
  Login,
  RedriveJobs,
  Refresh,
  RefundAudio,
  RunMaintenance,
  Wallet,
} from '../support/operations.js';
import {
  administrator,
  grantTo,
  narrate,
  newListener,
  newStory,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { freePort } from '../support/free-port.js';
import { HAS_PROMETHEUS, startPrometheus, type Prometheus } from '../support/prometheus.js';
import { answerWith, startSpeechServer, type SpeechServer } from '../support/speech-server.js';
import {
  startTalebank,
  type Environment,
  type ServerProcess,
  type Talebank,
} from '../support/talebank.js';

/**
 * The cause of each alert is made to happen at two processes, which a real Prometheus scrapes, and is then removed. All
 * causes happen at the same time, so that the waits for their alerts overlap. Prometheus starts with a history, because one
 * alert compares the database with its size a week ago.
 */
const TOKEN = 'a-token-of-some-length';
const VOICE = 'openai-alloy';

let talebank: Talebank;
let worker: ServerProcess;
let prometheus: Prometheus;
let provider: SpeechServer;
let admin: Person;
let url: string;
let anchorPlace: string;
/** The certificate of an authority that the worker's DATABASE_URL names. */
let authority: string;
/** The DATA_DIR of the worker that takes the place of the first one: a small disk of its own. */
let smallDisk: string;
let takesMail = true;
let workerEnvironment: Environment;

const smtp = new SMTPServer({
  authOptional: true,
  disabledCommands: ['AUTH', 'STARTTLS'],
  onMailFrom: (_address, _session, done) => {
    if (takesMail) done();
    else done(new Error('The disk of the mail server is full.'));
  },
  onData: (stream, _session, done) => {
    stream.resume();
    stream.on('end', done);
  },
});

/** Something that goes wrong, and the alerts that tell of it. */
interface Cause {
  readonly alerts: readonly string[];
  /** @returns what puts it right again */
  begin(): Promise<() => Promise<unknown>>;
}

const sql = (text: string, values: unknown[] = []): Promise<unknown[]> =>
  talebank.database.sql(text, values);
const runTask = (
  task: 'EXPIRE_CREDITS' | 'GRANT_MONTHLY_CREDITS' | 'RECONCILE_CREDITS' | 'PRUNE_SESSIONS',
): Promise<unknown> => ask(url, RunMaintenance, { task }, admin.token);

/** Does something again and again until it is told to stop. */
function repeat(everyMs: number, work: () => Promise<unknown>): () => Promise<void> {
  const over = new AbortController();
  const going = (async () => {
    while (!over.signal.aborted) {
      await work().catch(() => undefined);
      await sleep(everyMs);
    }
  })();
  return async () => {
    over.abort();
    await going;
  };
}

/** A refused refund, and so on. They do not disturb each other. */
const CAUSES: readonly Cause[] = [
  {
    alerts: ['RefundFailing', 'ErrorRate'],
    begin: async () => {
      const listener = await newListener(url);
      const story = await newStory(url, admin);
      const { audioId } = await narrate(url, listener, story.id, VOICE);
      await waitForAudio(url, listener, audioId);
      await sql(
        `ALTER TABLE credit_transactions ADD CONSTRAINT no_refunds CHECK (type <> 'REFUND') NOT VALID`,
      );
      const input = { audioId, reason: 'Sorry' };
      const stop = repeat(300, () => execute(url, RefundAudio, { input }, { token: admin.token }));
      return async () => {
        await stop();
        await sql('ALTER TABLE credit_transactions DROP CONSTRAINT no_refunds');
      };
    },
  },
  {
    // The check of the ledger finds it, and so does a read.
    alerts: ['InvariantViolated', 'LedgerMismatch'],
    begin: async () => {
      const listener = await newListener(url);
      const lotId = await grantTo(url, admin, listener);
      await sql('UPDATE credit_lots SET remaining = 9 WHERE id = $1', [lotId]);
      await runTask('RECONCILE_CREDITS');
      await execute(url, Wallet, {}, { token: listener.token });
      return async () => {
        await sql('UPDATE credit_lots SET remaining = 10 WHERE id = $1', [lotId]);
        await runTask('RECONCILE_CREDITS');
      };
    },
  },
  {
    // The tasks are not scheduled in this database, so that nothing is swept.
    alerts: ['PointsLapsedUnswept'],
    begin: async () => {
      const expiresAt = new Date(Date.now() + 3_000).toISOString();
      await grantTo(url, admin, await newListener(url), { source: 'EVENT', expiresAt });
      return () => runTask('EXPIRE_CREDITS');
    },
  },
  {
    alerts: ['MonthlyGrantNotRun', 'MonthlyGrantLate', 'TaskMissed'],
    begin: async () => {
      await runTask('GRANT_MONTHLY_CREDITS');
      await sql(`UPDATE task_runs SET started_at = started_at - interval '3 days',
        succeeded_at = succeeded_at - interval '3 days' WHERE task = 'GRANT_MONTHLY_CREDITS'`);
      return () => runTask('GRANT_MONTHLY_CREDITS');
    },
  },
  {
    // A grant to an account whose row another session holds is finished when it is free.
    alerts: ['BulkOrderUnfinished'],
    begin: async () => {
      const { id: userId } = await newListener(url);
      const client = new pg.Client({ connectionString: talebank.database.url });
      await client.connect();
      await client.query('BEGIN');
      await client.query('SELECT FROM credit_accounts WHERE user_id = $1 FOR UPDATE', [userId]);
      const rows = [{ userId, amount: 6 }];
      const input = { source: 'FREE' as const, reason: 'All', idempotencyKey: 'held', rows };
      const granting = execute(url, BulkGrant, { input }, { token: admin.token });
      return async () => {
        await client.query('ROLLBACK');
        await client.end();
        await granting;
      };
    },
  },
  {
    alerts: ['MailFailing', 'DeadLetters'],
    begin: async () => {
      takesMail = false;
      for (let count = 0; count < 6; count += 1) await newListener(url);
      // One of them has no more retries, and fails for good.
      const spent = `UPDATE pgboss.job SET retry_limit = 0 WHERE id = (
        SELECT id FROM pgboss.job WHERE name = 'send-mail' AND state = 'retry' LIMIT 1)`;
      await until('a mail is tried again', async () => {
        const [row] = await talebank.database.sql<{ count: number }>(
          `SELECT count(*)::int FROM pgboss.job WHERE name = 'send-mail' AND state = 'retry'`,
        );
        return (row?.count ?? 0) > 0;
      });
      await sql(spent);
      return async () => {
        takesMail = true;
        await ask(url, RedriveJobs, { queue: 'send-mail' }, admin.token);
      };
    },
  },
  {
    alerts: ['ProviderResting', 'ProviderFailing'],
    begin: async () => {
      provider.behave(answerWith(500));
      const listener = await newListener(url);
      const story = await newStory(url, admin, { length: 900 });
      const { audioId } = await narrate(url, listener, story.id, VOICE);
      return async () => {
        provider.behave('good');
        await waitForAudio(url, listener, audioId, ['READY']);
      };
    },
  },
  {
    alerts: ['RefreshTokenReuse'],
    begin: async () => {
      const { refreshToken } = await newListener(url);
      const renew = async (token: string): Promise<string> =>
        (await execute(url, Refresh, { refreshToken: token })).data?.refreshSession.refreshToken ??
        '';
      await renew(await renew(refreshToken));
      await renew(refreshToken);
      return () => Promise.resolve();
    },
  },
  {
    alerts: ['SignInRefusals', 'RateLimitRefusals'],
    begin: () => {
      const input = { email: 'stranger@example.com', password: 'a wrong guess' };
      return Promise.resolve(repeat(250, () => execute(url, Login, { input })));
    },
  },
];

/** Narrations that fail can be refunded only before refunds are refused, and with a storage. */
const NARRATIONS: readonly Cause[] = [
  {
    alerts: ['NarrationsFailing'],
    begin: async () => {
      // Nothing in these texts can be spoken.
      for (const content of ['… — …', '… —', '— …', '— — …', '… … —']) {
        const listener = await newListener(url);
        const story = await newStory(url, admin, { content });
        const { audioId } = await narrate(url, listener, story.id, VOICE);
        await waitForAudio(url, listener, audioId);
      }
      return () => Promise.resolve();
    },
  },
];

/** Nothing can be narrated meanwhile. */
const STORAGE: readonly Cause[] = [
  {
    alerts: ['StorageFailing'],
    begin: async () => {
      const listener = await newListener(url);
      const story = await newStory(url, admin);
      const { audioId } = await narrate(url, listener, story.id, VOICE);
      const { url: recording } = await waitForAudio(url, listener, audioId);
      const folder = join(talebank.dataDir, 'audio');
      await rename(folder, `${folder}.away`);
      await writeFile(folder, '');
      const stop = repeat(300, () => fetch(recording ?? ''));
      return async () => {
        await stop();
        await rm(folder);
        await rename(`${folder}.away`, folder);
      };
    },
  },
];

const SLOWNESS: readonly Cause[] = [
  {
    // Every query of the library waits for the lock, and the others for a connection.
    alerts: ['Latency', 'PoolExhausted'],
    begin: () => {
      const client = new pg.Client({ connectionString: talebank.database.url });
      const connected = client.connect();
      const stop = repeat(200, async () => {
        await connected;
        await client.query('BEGIN');
        await client.query('LOCK TABLE stories IN ACCESS EXCLUSIVE MODE');
        const asked = Array.from({ length: 60 }, () =>
          send(url, '{ stories(first: 1) { nodes { title } } }'),
        );
        await sleep(3_000);
        await client.query('ROLLBACK');
        await Promise.all(asked);
      });
      return Promise.resolve(async () => {
        await stop();
        await client.end();
      });
    },
  },
  {
    // As if no task had run for ten days.
    alerts: ['AnchorLate', 'FullCheckLate'],
    begin: async () => {
      await runTask('RECONCILE_CREDITS');
      await sql(`UPDATE reconciliations SET checked_at = checked_at - interval '10 days',
        anchored_at = anchored_at - interval '10 days'`);
      return () => runTask('RECONCILE_CREDITS');
    },
  },
  {
    // The worker stands still for more than half of each second.
    alerts: ['EventLoopBlocked'],
    begin: () =>
      Promise.resolve(
        repeat(400, async () => {
          worker.child.kill('SIGSTOP');
          await sleep(600);
          worker.child.kill('SIGCONT');
        }),
      ),
  },
];

const LOSSES: readonly Cause[] = [
  {
    // A place that is away when an anchor was made two hours ago.
    alerts: ['AnchorWaiting'],
    begin: async () => {
      await rename(anchorPlace, `${anchorPlace}.away`);
      await writeFile(anchorPlace, '');
      await execute(url, RunMaintenance, { task: 'RECONCILE_CREDITS' }, { token: admin.token });
      const folder = join(talebank.dataDir, 'anchors');
      const at = new Date(Date.now() - 2 * 3_600_000);
      for (const name of await readdir(folder)) await utimes(join(folder, name), at, at);
      return async () => {
        await rm(anchorPlace);
        await rename(`${anchorPlace}.away`, anchorPlace);
        await runTask('RECONCILE_CREDITS');
      };
    },
  },
  {
    alerts: ['ProcessDown', 'QueueAge'],
    begin: async () => {
      await worker.kill();
      const listener = await newListener(url);
      const story = await newStory(url, admin);
      const { audioId } = await narrate(url, listener, story.id, VOICE);
      await sql(`UPDATE pgboss.job SET start_after = start_after - interval '10 minutes'
        WHERE name = 'synthesize-audio' AND state = 'created'`);
      return async () => {
        worker = await joinOnSmallDisk();
        await waitForAudio(url, listener, audioId, ['READY']);
      };
    },
  },
];

/** A worker that repairs the ledger, and has its own disk, in a mount namespace that ends with it. */
function joinOnSmallDisk(): Promise<ServerProcess> {
  const mount = 'mount -t tmpfs -o size=4m tmpfs "$0" && exec "$@"';
  const user = process.getuid?.() === 0 ? [] : ['--map-root-user'];
  return talebank.join(
    {
      ...workerEnvironment,
      MONTHLY_CREDITS: '5',
      RECONCILE_REPAIR: 'true',
      DATA_DIR: smallDisk,
    },
    { under: ['unshare', ...user, '--mount', 'sh', '-c', mount, smallDisk] },
  );
}

const REPLACED: readonly Cause[] = [
  {
    alerts: ['LedgerRepaired'],
    begin: async () => {
      const lotId = await grantTo(url, admin, await newListener(url));
      await sql('UPDATE credit_lots SET remaining = 9 WHERE id = $1', [lotId]);
      await sql(`INSERT INTO pgboss.job (name, data) VALUES ('reconcile-credits', '{}')`);
      return () => Promise.resolve();
    },
  },
  {
    alerts: ['DiskSpaceLow'],
    begin: async () => {
      // The disk as the worker sees it.
      const filler = `/proc/${String(worker.child.pid)}/root${join(smallDisk, 'filler')}`;
      const { bavail, bsize } = await statfs(dirname(filler));
      await writeFile(filler, new Uint8Array(Math.floor(0.95 * bavail * bsize)));
      return () => rm(filler);
    },
  },
];

/** The rows have a page each, so that little has to be sent for 1.2 gigabytes. */
const GROW = `CREATE UNLOGGED TABLE ballast WITH (fillfactor = 10) AS
  SELECT rpad('', 700, 'x') AS filler FROM generate_series(1, 150000)`;

/** These begin first, because they take minutes to fire: their metrics are read once a minute. */
const SLOW: readonly Cause[] = [
  {
    alerts: ['KeyOld'],
    begin: async () => {
      const move = (by: string): Promise<unknown> =>
        sql(
          `UPDATE signing_keys SET created_at = created_at + $1::interval WHERE retired_at IS NULL`,
          [by],
        );
      await move('-200 days');
      return () => move('200 days');
    },
  },
  {
    alerts: ['CertificateExpires'],
    begin: async () => {
      await writeFile(authority, EXPIRED_CERTIFICATE);
      return () => writeFile(authority, CERTIFICATE);
    },
  },
  {
    // A week ago it had the size that it has when the server has just started.
    alerts: ['DatabaseGrowth'],
    begin: async () => {
      await sql(GROW);
      return () => sql('DROP TABLE ballast');
    },
  },
];

const AWAY: readonly Cause[] = [
  {
    alerts: ['DatabaseUnreachable'],
    begin: async () => {
      await talebank.database.setReachable(false);
      return () => talebank.database.setReachable(true);
    },
  },
];

/** One after the other, because some causes prevent others. The slow ones fire before the worker is lost. */
const PHASES = [NARRATIONS, STORAGE, CAUSES, SLOWNESS];
const LAST_PHASES = [LOSSES, REPLACED, AWAY];
/** The first worker has no allowance for all users, and the one that takes its place has. */
const CAUSED = [
  ...[...SLOW, ...PHASES.flat(), ...LAST_PHASES.flat()].flatMap(({ alerts }) => alerts),
  'MonthlyGrantOff',
];

/** What each alert that fired said, and which have not resolved. */
const said = new Map<string, string>();
let unresolved: readonly string[] = [];
let firedBefore: readonly string[] = [];

async function watch(): Promise<string[]> {
  const now = await prometheus.firing();
  for (const { name, summary } of now) said.set(name, summary);
  return now.map(({ name }) => name);
}

const haveFired = (names: readonly string[]): Promise<void> =>
  until(`${names.join(', ')} fire`, () => names.every((name) => said.has(name))).catch(
    () => undefined,
  );

/** What kept a cause from being made to happen, or from being put right. */
const failures: unknown[] = [];
const noteFailure = (error: unknown): void => void failures.push(error);
const asNotBegun =
  ({ alerts }: Cause) =>
  (error: unknown): (() => Promise<void>) => {
    noteFailure(error);
    for (const name of alerts) said.set(name, 'not caused');
    return () => Promise.resolve();
  };

/** @param meanwhile what is done while the causes last */
async function happen(
  causes: readonly Cause[],
  meanwhile: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const remedies: (() => Promise<unknown>)[] = [];
  for (const cause of causes) remedies.push(await cause.begin().catch(asNotBegun(cause)));
  await meanwhile();
  await haveFired(causes.flatMap(({ alerts }) => alerts));
  for (const remedy of remedies) await remedy().catch(noteFailure);
}

const environment = (port: number): Environment => ({
  ANCHOR_DIR: anchorPlace,
  METRICS_PORT: String(port),
  METRICS_TOKEN: TOKEN,
  DATABASE_POOL_SIZE: '4',
  RECONCILE_REPAIR: 'false',
  RATE_LIMIT_FACTOR: '1',
  RATE_LIMIT_REGISTER: '1000/60',
  RATE_LIMIT_ADMIN_WRITES: '10000/60',
  SPEECH_PROVIDER: 'openai',
  OPENAI_BASE_URL: provider.url,
  OPENAI_TTS_VOICES: 'alloy',
  SYNTHESIS_RETRIES: '100',
  SYNTHESIS_RETRY_DELAY_SECONDS: '0',
  SMTP_URL: `smtp://127.0.0.1:${String((smtp.server.address() as AddressInfo).port)}`,
});

const closers: (() => Promise<unknown>)[] = [];

const whereInstalled = HAS_PROMETHEUS ? describe : describe.skip;
if (!HAS_PROMETHEUS)
  test.skip('prometheus is not installed (Debian package prometheus): no alert was made to fire', () =>
    undefined);

whereInstalled('a real Prometheus', () => {
  beforeAll(async () => {
    await new Promise<void>((resolve) => {
      smtp.listen(0, '127.0.0.1', resolve);
    });
    closers.push(
      () =>
        new Promise((resolve) => {
          smtp.close(() => {
            resolve(undefined);
          });
        }),
    );
    anchorPlace = await mkdtemp(join(tmpdir(), 'talebank-anchors-'));
    smallDisk = await mkdtemp(join(tmpdir(), 'talebank-small-'));
    authority = join(smallDisk, 'authority.pem');
    await writeFile(authority, CERTIFICATE);
    for (const folder of [anchorPlace, smallDisk])
      closers.push(() => rm(folder, { recursive: true, force: true }));
    provider = await startSpeechServer({ kind: 'openai' });
    closers.push(() => provider.close());
    const [apiPort, workerPort] = [await freePort(), await freePort()];
    talebank = await startTalebank({ ...environment(apiPort), ROLE: 'api', MONTHLY_CREDITS: '5' });
    closers.push(() => talebank.close());
    ({ url } = talebank);
    await talebank.database.sql('DELETE FROM pgboss.schedule');
    workerEnvironment = { METRICS_PORT: String(workerPort), ROLE: 'worker' };
    const withAuthority = new URL(talebank.database.url);
    withAuthority.searchParams.set('sslmode', 'prefer');
    withAuthority.searchParams.set('sslrootcert', authority);
    worker = await talebank.join({
      ...workerEnvironment,
      MONTHLY_CREDITS: '0',
      DATABASE_URL: withAuthority.href,
    });
    await talebank.database.sql('DELETE FROM pgboss.schedule');
    admin = await administrator(url);
    const [size] = await talebank.database.sql<{ bytes: number }>(
      'SELECT pg_database_size(current_database())::float8 AS bytes',
    );
    prometheus = await startPrometheus({
      jobs: { 'talebank-api': apiPort, 'talebank-worker': workerPort },
      token: TOKEN,
      history: {
        name: 'talebank_database_size_bytes',
        value: size?.bytes ?? NaN,
        from: new Date(Date.now() - 7 * 86_400_000 - 60_000),
      },
    });
    closers.push(() => prometheus.stop());
    await until('both processes are scraped', async () => {
      const up = await prometheus.query('up == 1 and on (instance) talebank_build_info');
      return up.length === 2;
    });
    await sleep(5_000);
    firedBefore = await watch();
    const watching = repeat(500, watch);
    await happen(SLOW, async () => {
      for (const phase of PHASES) await happen(phase);
    });
    for (const phase of LAST_PHASES) await happen(phase);
    await until(
      'all alerts have resolved',
      async () => {
        unresolved = await watch();
        return unresolved.length === 0;
      },
      2 * PATIENCE_MS,
    ).catch(() => undefined);
    await watching();
  }, 20 * 60_000);

  afterAll(async () => {
    for (const close of closers.reverse()) await close();
  });

  test('every cause has happened and was put right', () => {
    expect(failures).toEqual([]);
  });

  test('nothing fires while all is well', () => {
    expect(firedBefore.filter((name) => name !== 'MonthlyGrantOff')).toEqual([]);
  });

  test.each(CAUSED)('%s fires, says why, and resolves', (name) => {
    expect([name, said.get(name)]).toEqual([name, expect.stringMatching(/^[A-Z\d][^{}]+\.$/)]);
    expect([name, said.get(name)]).not.toEqual([name, expect.stringContaining('error expanding')]);
    expect(unresolved).not.toContain(name);
  });
});
