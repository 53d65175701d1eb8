import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execute, send } from '../support/client.js';
import { follow, stopFollowing } from '../support/events.js';
import { holdNarrations, until } from '../support/faults.js';
import { scrape, scrapeOnce, valueOf } from '../support/metrics.js';
import { RunMaintenance } from '../support/operations.js';
import { tagLength } from '../support/mp3.js';
import {
  administrator,
  englishVoice,
  narrate,
  newListener,
  newStory,
  waitForAudio,
  type Person,
} from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let admin: Person;
let listener: Person;

beforeAll(async () => {
  talebank = await startTalebank();
  ({ url } = talebank);
  admin = await administrator(url);
  listener = await newListener(url);
  await talebank.database.sql('DELETE FROM pgboss.schedule');
});
afterAll(async () => {
  stopFollowing();
  await talebank.close();
});

/** Waits until each of these samples has grown by at least so much since before the work. */
async function expectGrowth(
  wanted: Readonly<Record<string, number>>,
  work: () => Promise<unknown>,
): Promise<void> {
  const before = await scrape(url);
  await work();
  const growth = (after: ReadonlyMap<string, number>): Record<string, number> =>
    Object.fromEntries(
      Object.keys(wanted).map((name) => [name, valueOf(after, name) - valueOf(before, name)]),
    );
  let grown: Record<string, number> = {};
  // Requests are counted when their last byte is handed over, which may be after their client has it.
  await until('the samples have grown', async () => {
    grown = growth(await scrape(url));
    return Object.entries(wanted).every(([name, by]) => (grown[name] ?? 0) >= by);
  }).catch(() => undefined);
  expect(grown).toEqual(wanted);
}

const operations = (operation: string, type: string, code = 'OK'): string =>
  `graphql_operations_total{operation="${operation}",type="${type}",code="${code}"}`;

test('operations are counted by known names, type and gravest code', async () => {
  await expectGrowth(
    {
      [operations('Library', 'query')]: 1,
      [operations('other', 'query')]: 1,
      [operations('unnamed', 'query')]: 1,
      [operations('Grant', 'mutation', 'BAD_USER_INPUT')]: 1,
      [operations('unnamed', 'query', 'UNAUTHENTICATED')]: 1,
      [operations('unnamed', 'none', 'BAD_USER_INPUT')]: 2,
      [operations('unnamed', 'none', 'QUERY_TOO_COMPLEX')]: 1,
      'graphql_operation_duration_seconds_count{operation="Library"}': 1,
    },
    async () => {
      await send(url, 'query Library { stories { nodes { title } } }');
      await send(url, 'query Librarian { __typename }');
      await send(url, '{ __typename }');
      await send(
        url,
        'mutation Grant($input: GrantCreditsInput!) { grantCredits(input: $input) { lot { id } } }',
        { input: { userId: listener.id } },
        { token: admin.token },
      );
      await send(url, '{ users { nodes { id } } }');
      await send(url, '{ noSuchField }');
      await send(url, '{ {');
      await send(url, `{ ${'a: __typename '.repeat(2000)} }`);
    },
  );
});

test('subscriptions are counted when they are opened or refused', async () => {
  const document = 'subscription FollowMyPoints { creditsUpdated { balance } }';
  await expectGrowth(
    {
      [operations('FollowMyPoints', 'subscription')]: 1,
      [operations('FollowMyPoints', 'subscription', 'UNAUTHENTICATED')]: 1,
    },
    async () => {
      await follow(url, document, {}, { token: listener.token });
      await follow(url, document);
    },
  );
  stopFollowing();
});

test('requests are counted by kind of path, and files by what became of them', async () => {
  const story = await newStory(url, admin, { length: 200 });
  const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
  const audio = await waitForAudio(url, listener, audioId);
  const recording = audio.url ?? '';
  const readAll = async (response: Response): Promise<Uint8Array> =>
    new Uint8Array(await response.arrayBuffer());
  const bytesOf = async (response: Response): Promise<number> => (await readAll(response)).length;
  const served = await readAll(await fetch(recording));
  const stored = served.length - tagLength(served);
  const captions = await bytesOf(await fetch(audio.captionsUrl ?? ''));
  const files = (kind: string, result: string): string =>
    `file_requests_total{kind="${kind}",result="${result}"}`;
  await expectGrowth(
    {
      [files('recording', 'ok')]: 2,
      [files('recording', 'part')]: 1,
      [files('recording', 'no_such_part')]: 1,
      [files('recording', 'refused')]: 1,
      [files('captions', 'ok')]: 1,
      'file_bytes_total{kind="recording"}': served.length + 10,
      'file_bytes_total{kind="captions"}': captions,
      // The first ten bytes are of the tag, and one byte of the file is read to see whether it is there.
      'storage_bytes_total{direction="read"}': stored + 1 + captions,
      'http_requests_total{route="files",status="2xx"}': 4,
      'http_requests_total{route="files",status="4xx"}': 2,
      'http_requests_total{route="other",status="4xx"}': 2,
      'http_requests_total{route="health",status="2xx"}': 1,
    },
    async () => {
      await bytesOf(await fetch(recording));
      await bytesOf(await fetch(recording, { method: 'HEAD' }));
      await bytesOf(await fetch(recording, { headers: { range: 'bytes=0-9' } }));
      await bytesOf(await fetch(recording, { headers: { range: 'bytes=99999999-' } }));
      await bytesOf(await fetch(recording.replace(/signature=[^&]{4}/, 'signature=AAAA')));
      await bytesOf(await fetch(audio.captionsUrl ?? ''));
      await bytesOf(await fetch(`${url}/nothing/here`));
      await bytesOf(await fetch(`${url}/%E0%A4%A`));
      await bytesOf(await fetch(`${url}/healthz`));
    },
  );
  // Other tests narrate too, and a job is counted when it has ended, which is after its narration is READY.
  await until('each narration is counted once', async () => {
    const samples = await scrape(url);
    const made = valueOf(samples, 'narrations_total{result="made"}');
    return (
      made >= 1 &&
      valueOf(samples, 'narration_first_sound_seconds_count') === made &&
      valueOf(samples, 'jobs_total{queue="synthesize-audio",result="ok"}') === made
    );
  });
  const samples = await scrape(url);
  expect(
    valueOf(samples, 'storage_operations_total{operation="write",result="ok"}'),
  ).toBeGreaterThan(1);
});

test('queues, narrations and mails that wait are counted, and jobs that failed for good', async () => {
  const release = await holdNarrations(talebank.database);
  const story = await newStory(url, admin);
  const { audioId } = await narrate(url, listener, story.id, await englishVoice(url));
  const job = (queue: string, state: string): Promise<unknown> =>
    talebank.database.sql(
      `INSERT INTO pgboss.job (id, name, state, start_after, created_on, data, retry_limit, expire_seconds,
         deletion_seconds, keep_until, policy)
       SELECT gen_random_uuid(), name, $2::pgboss.job_state, now() - interval '100 seconds', now(), '{}', 0, 60, 86400,
         now() + interval '1 day', policy
       FROM pgboss.queue WHERE name = $1`,
      [queue, state],
    );
  await job('finish-bulk-grant', 'failed');
  // A queue without a worker keeps what is due.
  await talebank.database.sql(
    `SELECT pgboss.create_queue('idle', '{"policy": "standard"}'::jsonb)`,
  );
  await job('idle', 'created');
  await until('the figures are read again', async () => {
    const samples = await scrape(url);
    return (
      valueOf(samples, 'queue_jobs{queue="synthesize-audio",state="waiting"}') === 1 &&
      valueOf(samples, 'queue_jobs{queue="finish-bulk-grant",state="failed"}') === 1 &&
      valueOf(samples, 'queue_oldest_waiting_seconds{queue="idle"}') >= 100 &&
      valueOf(samples, 'queue_oldest_waiting_seconds{queue="synthesize-audio"}') === 0 &&
      valueOf(samples, 'audios{status="QUEUED"}') === 1
    );
  });
  await release();
  await waitForAudio(url, listener, audioId);
  await talebank.database.sql(`DELETE FROM pgboss.job WHERE name IN ('idle', 'finish-bulk-grant')`);
});

test('every process tells when a task has last run and succeeded', async () => {
  const { server } = await execute(
    url,
    RunMaintenance,
    { task: 'PRUNE_SESSIONS' },
    { token: admin.token },
  ).then(() => talebank);
  const other = await talebank.join({ ROLE: 'worker', METRICS_PORT: '0' });
  const elsewhere = String(other.logs().find(({ msg }) => msg === 'listening')?.['metricsUrl']);
  for (const at of [server.url, elsewhere]) {
    const samples = await scrape(at);
    const succeededAt = valueOf(
      samples,
      'task_last_success_timestamp_seconds{task="PRUNE_SESSIONS"}',
    );
    expect(Math.abs(Date.now() / 1000 - succeededAt)).toBeLessThan(300);
    expect(
      valueOf(samples, 'task_last_run_timestamp_seconds{task="PRUNE_SESSIONS"}'),
    ).toBeLessThanOrEqual(succeededAt);
    expect(valueOf(samples, 'task_interval_seconds{task="PRUNE_SESSIONS"}')).toBe(86_400);
    expect(samples.has('task_last_duration_seconds{task="PRUNE_SESSIONS"}')).toBe(true);
  }
  await other.stop();
});

test('pools, disk, keys and the release are told', async () => {
  const samples = await scrape(url);
  for (const pool of ['queries', 'queue', 'limits']) {
    const most = valueOf(samples, `database_connections_max{pool="${pool}"}`);
    const open =
      valueOf(samples, `database_connections{pool="${pool}",state="in_use"}`) +
      valueOf(samples, `database_connections{pool="${pool}",state="idle"}`);
    expect([pool, most > 0, open <= most]).toEqual([pool, true, true]);
  }
  expect(valueOf(samples, 'database_wait_seconds_count{pool="queries"}')).toBeGreaterThan(10);
  expect(valueOf(samples, 'database_answers')).toBe(1);
  expect(valueOf(samples, 'database_size_bytes')).toBeGreaterThan(1e6);
  expect(valueOf(samples, 'disk_free_bytes{volume="data"}')).toBeLessThanOrEqual(
    valueOf(samples, 'disk_size_bytes{volume="data"}'),
  );
  for (const key of ['access_tokens', 'anchors', 'addresses'])
    expect([key, samples.has(`key_created_timestamp_seconds{key="${key}"}`)]).toEqual([key, true]);
  expect([...samples.keys()].filter((name) => name.startsWith('build_info'))).toEqual([
    expect.stringMatching(
      /^build_info\{version="\d+\.\d+\.\d+",node="v[\d.]+",migration="\d{14}_\w+"\}$/,
    ),
  ]);
});

/** A request as a hostile client may send it. */
const sendRaw = (method: string, path: string, host: string, body = ''): Promise<void> =>
  new Promise((resolve) => {
    const sent = request(url, {
      method,
      path,
      headers: { host, 'content-type': 'application/json' },
    });
    sent.on('response', (answer) => {
      answer.resume();
      answer.on('close', resolve);
    });
    sent.on('error', () => {
      resolve();
    });
    sent.end(body);
  });

test('what clients invent makes no series', async () => {
  const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND', 'LOCK'];
  const invent = async (): Promise<void> => {
    const invented = `x${randomBytes(6).toString('hex')}`;
    for (const method of METHODS) {
      await sendRaw(method, `/${invented}`, `${invented}.example.com`);
      await sendRaw(method, `/files/${invented}.mp3?${invented}=1`, invented);
    }
    for (const type of ['query', 'mutation', 'subscription'])
      await send(url, `${type} ${invented} { ${invented}: __typename ${invented}2 }`);
    await send(url, `query ${invented} { __typename }`);
    const body = JSON.stringify({ query: '{ __typename }', operationName: invented });
    await sendRaw('POST', '/graphql', invented, body);
    await sendRaw('POST', `/graphql/${invented}`, invented, body);
    await sendRaw('GET', `/graphql?query=query+${invented}{__typename}`, invented);
    await sendRaw('GET', `/streams/${invented}`, invented);
    await sendRaw('GET', `/statements/${invented}/${invented}.csv`, invented);
  };
  const series = async (): Promise<string[]> => [...(await scrape(url)).keys()].sort();
  await series();
  await invent();
  const before = await series();
  for (let times = 0; times < 20; times += 1) await invent();
  // Jobs and the memory of the process go on meanwhile, and a scheduled task may run for the first time.
  const after = (await series()).filter(
    (name) => !/^(?:job|mail|nodejs|process)|\btask="[A-Z_]+"/.test(name),
  );
  expect(after.filter((name) => !before.includes(name))).toEqual([]);
  // What the tests of this file have caused, and each kind of thing that there can be, in one process.
  expect(before.length).toBeLessThan(2_000);
});

test('while the database is away, the other metrics come, and those of it are marked as old', async () => {
  const before = await scrapeOnce(url);
  await talebank.database.setReachable(false);
  try {
    await until('the answer says so', async () => {
      const samples = await scrapeOnce(url);
      return samples.get('database_answers') === 0;
    });
    const samples = await scrapeOnce(url);
    // What Node does at the moment has a series of its own, which goes when it is done.
    const lasting = [...before.keys()].filter((name) => !name.startsWith('nodejs_active_'));
    for (const name of lasting) expect([name, samples.has(name)]).toEqual([name, true]);
    expect(valueOf(samples, 'process_cpu_seconds_total')).toBeGreaterThanOrEqual(
      valueOf(before, 'process_cpu_seconds_total'),
    );
  } finally {
    await talebank.database.setReachable(true);
  }
  await until(
    'the database answers again',
    async () => (await scrapeOnce(url)).get('database_answers') === 1,
  );
});
