import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, execute } from '../support/client.js';
import { until } from '../support/faults.js';
import { mailTo, readMail } from '../support/mail.js';
import { AuditLog, JobQueues, RedriveJobs, RunMaintenance } from '../support/operations.js';
import { administrator, newListener, type Person } from '../support/people.js';
import { startTalebank, type Talebank } from '../support/talebank.js';

let talebank: Talebank;
let url: string;
let admin: Person;

beforeAll(async () => {
  talebank = await startTalebank({ ROLE: 'api' });
  url = talebank.url;
  admin = await administrator(url);
});
afterAll(() => talebank.close());

const queue = async (name: string): Promise<Record<string, unknown> | undefined> =>
  (await ask(url, JobQueues, {}, admin.token)).jobQueues.find((one) => one.name === name);

test('administrators see every queue, and how long the oldest job has waited', async () => {
  const { jobQueues } = await ask(url, JobQueues, {}, admin.token);
  expect(jobQueues.map(({ name }) => name)).toEqual([
    'erase-account',
    'erase-recording',
    'expire-credits',
    'export-data',
    'fail-audio',
    'finish-bulk-grant',
    'finish-bulk-revocation',
    'grant-monthly-credits',
    'make-notices',
    'prune',
    'reap-stuck-audio',
    'reconcile-credits',
    'repair-account',
    'send-mail',
    'synthesize-audio',
  ]);
  const before = await queue('send-mail');
  await newListener(url);
  await sleep(200);
  const after = await queue('send-mail');
  expect(after?.['queued']).toBe(Number(before?.['queued']) + 1);
  expect(after?.['oldestQueuedSeconds']).toBeGreaterThan(0.1);
  const empty = { queued: 0, active: 0, failed: 0, oldestQueuedSeconds: null };
  expect(await queue('erase-account')).toEqual({ name: 'erase-account', ...empty });
});

test('what was given up is put back to work, once, and does its work', async () => {
  const { email, id } = await newListener(url);
  const { count } = (
    await talebank.database.sql<{ count: number }>(
      `WITH failed AS (
         UPDATE pgboss.job SET state = 'failed', completed_on = now(), retry_count = retry_limit
         WHERE name = 'send-mail' AND data->>'userId' = $1 RETURNING 1)
       SELECT count(*)::int FROM failed`,
      [id],
    )
  )[0] ?? { count: 0 };
  expect(count).toBe(1);
  expect((await queue('send-mail'))?.['failed']).toBe(1);
  expect(await ask(url, RedriveJobs, { queue: 'send-mail' }, admin.token)).toEqual({
    redriveJobs: 1,
  });
  expect((await queue('send-mail'))?.['failed']).toBe(0);
  expect(await ask(url, RedriveJobs, { queue: 'send-mail' }, admin.token)).toEqual({
    redriveJobs: 0,
  });
  const worker = await talebank.join({ ROLE: 'worker' });
  await mailTo(url, email, /^Confirm/);
  await worker.stop();
  const { auditLog } = await ask(url, AuditLog, { first: 100 }, admin.token);
  // A worker may have written others meanwhile.
  expect(auditLog.nodes.find(({ action }) => action === 'redriveJobs')).toMatchObject({
    target: 'send-mail',
  });
});

test('of a task that waits once, one of many that were given up waits again', async () => {
  // What the schedule of another test's worker has left would be the one that waits.
  await talebank.database.sql(`DELETE FROM pgboss.job WHERE name = 'prune'`);
  await talebank.database.sql(
    `INSERT INTO pgboss.job (id, name, data, state, policy, retry_limit, completed_on)
     SELECT gen_random_uuid(), 'prune', '{}', 'failed', 'stately', 3, now() FROM generate_series(1, 5)`,
  );
  const { redriveJobs } = await ask(url, RedriveJobs, { queue: 'prune' }, admin.token);
  expect(redriveJobs).toBe(1);
  expect(await queue('prune')).toMatchObject({ queued: 1, failed: 4 });
});

test('a queue that is not there is not found, and listeners see none', async () => {
  for (const name of ['nonsense', '', '\u0000', '__pgboss__send-it']) {
    const { errors } = await execute(url, RedriveJobs, { queue: name }, { token: admin.token });
    expect(errors[0]?.extensions.code).toBe('NOT_FOUND');
  }
  const { token } = await newListener(url);
  const refused = await execute(url, RedriveJobs, { queue: 'prune' }, { token });
  expect(refused.errors[0]?.extensions.code).toBe('FORBIDDEN');
  const hidden = await execute(url, JobQueues, {}, { token });
  expect(hidden.errors[0]?.extensions.code).toBe('FORBIDDEN');
});

test('short jobs that wait are done one after the other, without a pause between them', async () => {
  const ids: string[] = [];
  while (ids.length < 30) ids.push((await newListener(url)).id);
  const worker = await talebank.join({ ROLE: 'worker' });
  await until('all is sent', async () => {
    const { queued, active } = (await queue('send-mail')) ?? {};
    return queued === 0 && active === 0;
  });
  await worker.stop();
  // Two at once, and a second's pause after each: then each would begin a second after the last but one. A machine that
  // stands still delays two each time.
  const [paused] = await talebank.database.sql<{ pauses: number }>(
    `SELECT count(*) FILTER (WHERE started_on - before >= interval '0.9 seconds')::int AS pauses
     FROM (SELECT started_on, lag(started_on, 2) OVER (ORDER BY started_on) AS before FROM pgboss.job
       WHERE name = 'send-mail' AND data->>'userId' = ANY($1)) jobs`,
    [ids],
  );
  expect(paused?.pauses).toBeLessThan(14);
});

test('a mail that a person waits for goes before those of many notices, and a deleted narration has none', async () => {
  const told = await newListener(url);
  await talebank.database.sql(
    `WITH told AS (UPDATE users SET mail_on = '{NARRATION_READY}' WHERE id = $1 RETURNING id)
     INSERT INTO notices (user_id, id, key, kind, at, audio_id, mail_due)
     SELECT id, gen_random_uuid(), 'test:' || n, 'NARRATION_READY', ledger_now(), gen_random_uuid(), true
     FROM told, generate_series(1, 40) n`,
    [told.id],
  );
  await ask(url, RunMaintenance, { task: 'MAKE_NOTICES' }, admin.token);
  const waiting = await newListener(url);
  const worker = await talebank.join({ ROLE: 'worker' });
  await mailTo(url, waiting.email, /^Confirm/);
  await until('all is sent', async () => {
    const { queued, active } = (await queue('send-mail')) ?? {};
    return queued === 0 && active === 0;
  });
  await worker.stop();
  const mails = (await readMail(url)).filter(({ to }) => to === told.email);
  expect(mails.map(({ subject }) => subject)).toEqual(['Confirm your e-mail address']);
  const started = await talebank.database.sql<{ mail: string }>(
    `SELECT data->>'mail' AS mail FROM pgboss.job
     WHERE name = 'send-mail' AND (data->>'userId' = $1 AND data->>'mail' = 'NOTICE' OR data->>'userId' = $2)
     ORDER BY started_on`,
    [told.id, waiting.id],
  );
  expect(started).toHaveLength(41);
  // Several are taken at the same time.
  expect(started.findIndex(({ mail }) => mail === 'VERIFY')).toBeLessThan(5);
});
