import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import { CERTIFICATE } from '../support/certificate.js';
import { ask, execute, send } from '../support/client.js';
import { operate } from '../support/cluster.js';
import { freePort } from '../support/free-port.js';
import { PATIENCE_MS, until } from '../support/faults.js';
import { makeEmbedded, startIncidents, type Incidents } from '../support/incidents.js';
import { BulkGrant, Login, Refresh, RunMaintenance } from '../support/operations.js';
import { grantTo, narrate, newListener, newStory, waitForAudio } from '../support/people.js';
import { filledIn, readRunbooks, type Block, type Runbook } from '../support/runbooks.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const all = readRunbooks();

let incidents: Incidents;
let anchorFile: string;

beforeAll(async () => {
  incidents = await startIncidents();
  anchorFile = await incidents.anchor();
});
afterAll(() => incidents.close());

// ------------------------------------------------------------------ what runs a block

interface Ended {
  readonly code: number;
  readonly output: string;
}

/** Runs a program with a text as its input. */
async function run(
  program: string,
  args: readonly string[],
  input: string,
  environment: Readonly<Record<string, string>>,
): Promise<Ended> {
  const child = spawn(program, args, { cwd: ROOT, env: environment });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  // A program may end without reading all of it.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const code = await new Promise<number>((resolve) => {
    child.once('close', (status) => {
      resolve(status ?? -1);
    });
  });
  return { code, output };
}

type Values = Readonly<Record<string, string>>;
type Runner = (block: Block, values: Values) => Promise<Ended>;

const runShell: Runner = ({ text }, values) =>
  run('sh', ['-eu'], text, { ...incidents.environment, ...values });

const psql = (text: string, values: Values): Promise<Ended> =>
  run(
    'psql',
    [
      ...['--no-psqlrc', '--tuples-only', '--no-align', '--quiet', '--set', 'ON_ERROR_STOP=1'],
      values['DATABASE_URL'] ?? '',
    ],
    filledIn(text, values),
    incidents.environment,
  );

/** A query that must return no row may wait for a job. */
async function runSql({ text, words }: Block, values: Values): Promise<Ended> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const ended = await psql(text, values);
    const isRight = ended.code === 0 && (!words.includes('none') || ended.output.trim() === '');
    if (isRight || ended.code !== 0) return ended;
    if (Date.now() > deadline) return { code: 1, output: `It returned rows:\n${ended.output}` };
    await sleep(100);
  }
}

/** Keys may have been replaced meanwhile, so each block signs in. */
async function tokenOf(role: string | undefined, values: Values): Promise<string> {
  const [email, password] =
    role === 'admin'
      ? [values['ADMIN_EMAIL'], values['ADMIN_PASSWORD']]
      : [values['EMAIL'], values['PASSWORD']];
  const login = 'mutation ($input: LoginInput!) { login(input: $input) { accessToken } }';
  const { data, errors } = await send<{ login: { accessToken: string } }>(incidents.url, login, {
    input: { email, password },
  });
  if (data === null) throw new Error(JSON.stringify(errors));
  return data.login.accessToken;
}

async function runGraphql({ text, words }: Block, values: Values): Promise<Ended> {
  const [role] = words;
  if (role !== 'admin' && role !== 'listener') return { code: 1, output: 'It names no role.' };
  const query = filledIn(text, values);
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const token = await tokenOf(role, values);
    const { data, errors } = await send(incidents.url, query, {}, { token });
    const codes = errors.map(({ extensions }) => extensions.code);
    // A process believes a replaced key for ten seconds.
    const mayPass = codes.length > 0 && codes.every((code) => /UNAUTHENTICATED|BUSY/.test(code));
    if (!mayPass || Date.now() > deadline)
      return { code: errors.length, output: JSON.stringify({ data, errors }) };
    await sleep(500);
  }
}

const RUNNERS: Readonly<Record<string, Runner>> = {
  sh: runShell,
  sql: runSql,
  graphql: runGraphql,
};

/** `exit 1`, or several codes: something is wrong at that point of the page, or may be. */
const expectedCodes = ({ words }: Block): readonly number[] =>
  words[0] === 'exit' ? words.slice(1).map(Number) : [0];

/** @returns what the blocks have printed */
async function runBlocks(page: Runbook, blocks: readonly Block[], values: Values): Promise<string> {
  let outputs = '';
  for (const block of blocks) {
    const runner = RUNNERS[block.language];
    if (runner === undefined) continue;
    // The log as a person would have saved it just before.
    await writeFile(values['LOG'] ?? '', incidents.server.output());
    const { code, output } = await runner(block, values);
    // npm ends with 1 as well, which a page may expect of the command.
    if (!expectedCodes(block).includes(code) || output.includes('Missing script'))
      throw new Error(
        `${page.name}, line ${String(block.line)}, ended with ${String(code)}:\n${block.text}\n${output}`,
      );
    outputs += `${output}\n`;
  }
  return outputs;
}

// ------------------------------------------------------------------ what has happened

/** What a page needs to have happened, and what must be so when it has been followed. */
interface Incident {
  /** Makes it happen. @returns values of placeholders of this page */
  happen?(values: Values): Promise<Record<string, string>>;
  /** Happens between looking and doing. @returns values of placeholders */
  happenMeanwhile?(values: Values): Promise<Record<string, string>>;
  /** What a person does between looking and doing, because no command can do it. */
  beforeDoing?(values: Values): Promise<unknown>;
  /** @param output what all commands of the page have printed */
  over?(values: Values, output: string): unknown;
}

const rowsOf = <Row extends Record<string, unknown>>(
  sql: string,
  ...values: unknown[]
): Promise<Row[]> => incidents.database.sql<Row>(sql, values);

async function personOf(): Promise<Record<string, string>> {
  const { person, audioId, transactionId, storyId } = await incidents.charged();
  return {
    USER_ID: person.id,
    EMAIL: person.email,
    AUDIO_ID: audioId,
    TRANSACTION_ID: transactionId,
    STORY_ID: storyId,
  };
}

const spendable = async (userId: string | undefined): Promise<number> => {
  const [row] = await rowsOf<{ points: string }>(
    'SELECT sum(remaining) AS points FROM credit_lots WHERE user_id = $1',
    userId,
  );
  return Number(row?.points ?? 0);
};

const drifted = async ({ USER_ID = '' }: Values): Promise<Record<string, string>> => {
  await rowsOf('UPDATE credit_lots SET remaining = remaining - 2 WHERE user_id = $1', USER_ID);
  const { token } = await incidents.admin();
  await ask(incidents.url, RunMaintenance, { task: 'RECONCILE_CREDITS' }, token);
  return {};
};

async function grantInBulk({ USER_ID = '' }: Values): Promise<Record<string, string>> {
  const { token } = await incidents.admin();
  const BULK_KEY = `wrong-${USER_ID}`;
  const rows = [{ userId: USER_ID, amount: 5_000 }];
  const input = { source: 'ADD_ON' as const, reason: 'A mistake', idempotencyKey: BULK_KEY, rows };
  await ask(incidents.url, BulkGrant, { input }, token);
  return { BULK_KEY };
}

async function failJobs(): Promise<Record<string, string>> {
  await rowsOf(
    `UPDATE pgboss.job SET state = 'failed', output = '{"message":"A test"}'
     WHERE name = 'send-mail' AND state = 'completed'`,
  );
  return {};
}

const mailsAreSent = (): Promise<void> =>
  until('the mails are sent', async () => {
    const left = await rowsOf(
      `SELECT FROM pgboss.job WHERE name = 'send-mail' AND state <> 'completed'`,
    );
    return left.length === 0;
  });

const refresh = (refreshToken: string): ReturnType<typeof execute> =>
  execute(incidents.url, Refresh, { refreshToken });

/** A session that holds an account's lock until it is ended. */
async function holdAccount({ USER_ID = '' }: Values): Promise<Record<string, string>> {
  const client = new pg.Client({ connectionString: incidents.values['DATABASE_URL'] });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('BEGIN');
  await client.query('SELECT FROM credit_accounts WHERE user_id = $1 FOR UPDATE', [USER_ID]);
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return { PID: String(rows[0]?.pid) };
}

const sessionIsEnded = async ({ PID }: Values): Promise<void> => {
  await until('the session has ended', async () => {
    const left = await rowsOf('SELECT FROM pg_stat_activity WHERE pid = $1', PID);
    return left.length === 0;
  });
};

const asSuperuser = (sql: string): Promise<Ended> =>
  psql(sql, { DATABASE_URL: incidents.values['SUPERUSER_URL'] ?? '' });

const anchored = async (): Promise<Record<string, string>> => ({
  ANCHOR_FILE: await incidents.anchor(),
});

/** As if the keys were a year old, and the next ones known everywhere. */
const ageKeys = async (): Promise<Record<string, string>> => {
  await rowsOf(`UPDATE signing_keys SET created_at = created_at - interval '1 year'`);
  await rowsOf(`UPDATE secrets SET created_at = created_at - interval '1 year'`);
  return {};
};

const dropRestored = (): Promise<unknown> =>
  asSuperuser('DROP DATABASE IF EXISTS talebank_restored WITH (FORCE)');

/** Whom a grant needs only for the id. */
const WITHOUT_TOKENS = { email: '', token: '', refreshToken: '' };

const INCIDENTS: Readonly<Record<string, Incident>> = {
  'drift.md': {
    happen: drifted,
    over: async ({ USER_ID }, output) => {
      expect(output).toMatch(/FAIL {2}1 /);
      expect(await spendable(USER_ID)).toBe(9);
      expect(
        await rowsOf(`SELECT FROM audit_entries WHERE action = 'ledger verify --repair'`),
      ).not.toEqual([]);
    },
  },
  'failed-refunds.md': {
    happen: async () => {
      const person = await newListener(incidents.url);
      // Nothing in it can be spoken, so that it fails at once.
      const { id } = await newStory(incidents.url, await incidents.admin(), { content: '… — …' });
      await rowsOf(
        `ALTER TABLE credit_transactions ADD CONSTRAINT no_refunds CHECK (type <> 'REFUND') NOT VALID`,
      );
      const { audioId } = await narrate(incidents.url, person, id, incidents.voiceId);
      await until('the refund failed', () =>
        incidents.server
          .logs()
          .some(({ msg, userId }) => msg === 'refund failed' && userId === person.id),
      );
      return { AUDIO_ID: audioId, USER_ID: person.id, EMAIL: person.email };
    },
    beforeDoing: () => rowsOf('ALTER TABLE credit_transactions DROP CONSTRAINT no_refunds'),
    over: async ({ USER_ID = '', EMAIL = '', AUDIO_ID = '' }, output) => {
      expect(output).toMatch(/no_refunds[^]*"refund failed"/);
      const token = await tokenOf('listener', {
        EMAIL,
        PASSWORD: incidents.values['PASSWORD'] ?? '',
      });
      const person = { id: USER_ID, email: EMAIL, token, refreshToken: '' };
      const audio = await waitForAudio(incidents.url, person, AUDIO_ID, ['FAILED']);
      expect(audio.creditsCharged).toBe(0);
      expect(await spendable(USER_ID)).toBe(10);
    },
  },
  'stuck-jobs.md': {
    happen: failJobs,
    over: mailsAreSent,
  },
  'dead-letters.md': { happen: failJobs, over: mailsAreSent },
  'refresh-token-reuse.md': {
    happen: async () => {
      const { id, email, refreshToken } = await newListener(incidents.url);
      const next = await refresh(refreshToken);
      const { refreshSession } = next.data as { refreshSession: { refreshToken: string } };
      await refresh(refreshSession.refreshToken);
      await refresh(refreshToken);
      return { USER_ID: id, EMAIL: email };
    },
    over: ({ USER_ID = '' }, output) => {
      expect(output).toContain(`"actor":{"id":"${USER_ID}"}`);
    },
  },
  'sign-in-refusals.md': {
    happen: async ({ EMAIL = '' }) => {
      await execute(incidents.url, Login, { input: { email: EMAIL, password: 'a wrong guess' } });
      return {};
    },
    over: ({ USER_ID = '' }, output) => {
      expect(output).toContain(USER_ID);
    },
  },
  'certificate-expires.md': {
    happen: async ({ CASE = '' }) => {
      const [file, environmentFile] = [join(CASE, 'authority.pem'), join(CASE, 'talebank.env')];
      await writeFile(file, CERTIFICATE);
      const line = `DATABASE_URL=postgresql://a@b/c?sslmode=verify-full&sslrootcert=${file}&sslcert=${file}`;
      await writeFile(environmentFile, `${line}\n`);
      return { ENV_FILE: environmentFile };
    },
    over: (_values, output) => {
      expect(output.match(/notAfter=Jan {2}1 00:00:00 2100 GMT/g)).toHaveLength(2);
    },
  },
  'key-or-token-leak.md': {
    over: async ({ USER_ID }) => {
      // Until then the process signs with a key that it soon refuses.
      await until('the process knows the new keys', async () => {
        const kids = await rowsOf<{ kid: string }>(
          'SELECT kid FROM signing_keys WHERE retired_at IS NULL',
        );
        const known = await (await fetch(`${incidents.url}/.well-known/jwks.json`)).text();
        return kids.every(({ kid }) => known.includes(kid));
      });
      expect(await rowsOf(`SELECT FROM audit_entries WHERE action = 'keys replace'`)).not.toEqual(
        [],
      );
      expect(
        await rowsOf(
          `SELECT FROM secrets WHERE name = 'url-signing' AND retired_at <= clock_timestamp()`,
        ),
      ).toHaveLength(1);
      expect(
        await rowsOf(`SELECT FROM audit_entries WHERE action = 'keys replace-addresses'`),
      ).not.toEqual([]);
      expect(
        await rowsOf(`SELECT FROM users WHERE id = $1 AND suspended_at IS NULL`, USER_ID),
      ).toHaveLength(1);
    },
  },
  'wrong-bulk-grant.md': {
    happen: grantInBulk,
    over: async ({ USER_ID }) => {
      expect(await spendable(USER_ID)).toBe(9);
    },
  },
  'disputed-charge.md': {
    happen: anchored,
    over: async ({ USER_ID }, output) => {
      expect(output).toMatch(/Sound: 2 transactions, 1 lots, the first 2 as of /);
      expect(await spendable(USER_ID)).toBe(10);
    },
  },
  'erasing-a-person.md': {
    happen: async () => {
      const { email } = await newListener(incidents.url);
      return { OTHER_EMAIL: email, NEW_EMAIL: `new-${email}` };
    },
    over: async ({ OTHER_EMAIL, NEW_EMAIL }) => {
      const emails = await rowsOf<{ email: string }>(
        'SELECT email FROM users WHERE email IN ($1, $2)',
        OTHER_EMAIL,
        NEW_EMAIL,
      );
      expect(emails).toEqual([{ email: NEW_EMAIL }]);
    },
  },
  'restore-from-backup.md': {
    happen: async ({ CASE = '' }) => {
      await dropRestored();
      const [ANCHOR_FILE, EMBEDDED_COPY] = await Promise.all([
        incidents.anchor(),
        makeEmbedded(CASE),
      ]);
      return { ANCHOR_FILE, EMBEDDED_COPY };
    },
    over: async (_values, output) => {
      // The live one, the backup, both restores of it, the dump after its restore, and at the end.
      expect(
        output.match(/All \d+ accounts, with \d+ transactions, are as they were\./g),
      ).toHaveLength(6);
      expect(output).toMatch(/Sound: 1 accounts, 1 transactions/);
      await dropRestored();
    },
  },
  'latency.md': { happen: holdAccount, over: sessionIsEnded },
  'points-lapsed-unswept.md': { happen: holdAccount, over: sessionIsEnded },
  'database-full.md': {
    happen: async () => {
      await asSuperuser(`SELECT pg_create_physical_replication_slot('forgotten', true)`);
      return { SLOT: 'forgotten' };
    },
    over: async () => {
      expect(await rowsOf('SELECT FROM pg_replication_slots')).toEqual([]);
    },
  },
  'bulk-order-unfinished.md': { happen: grantInBulk },
  'anchor-late.md': { happen: anchored },
  'failover.md': { happen: anchored },
  'anchor-waiting.md': {
    happen: async () => {
      const values = await anchored();
      const { ANCHOR_DIR: place = '' } = incidents.values;
      await rename(place, `${place}.away`);
      await writeFile(place, '');
      await expect(incidents.anchor()).rejects.toThrow();
      return values;
    },
    beforeDoing: async () => {
      const { ANCHOR_DIR: place = '' } = incidents.values;
      await rm(place);
      await rename(`${place}.away`, place);
    },
  },
  'key-old.md': {
    happen: ageKeys,
    over: async (_values, output) => {
      expect(await rowsOf(`SELECT FROM audit_entries WHERE action = 'keys rotate'`)).not.toEqual(
        [],
      );
      expect(output).toContain('is valid until');
    },
  },
  'point-in-time-recovery.md': {
    happen: async () => {
      const { postgres } = incidents;
      const RECOVERED_PORT = String(await freePort());
      return {
        ...(await anchored()),
        AS_POSTGRES: postgres.asPostgres,
        BASE_BACKUP: await postgres.newFolder(),
        WAL_ARCHIVE: postgres.archive,
        RECOVERED_PORT,
        RECOVERED_URL: postgres.urlOf('talebank').replace(/:\d+\//, `:${RECOVERED_PORT}/`),
      };
    },
    happenMeanwhile: async (values) => {
      const { USER_ID = '' } = values;
      await grantTo(
        incidents.url,
        await incidents.admin(),
        { ...WITHOUT_TOKENS, id: USER_ID },
        { amount: 7 },
      );
      const [row] = await rowsOf<{ at: string }>('SELECT clock_timestamp()::text AS at');
      await sleep(100);
      await grantInBulk(values);
      return { RECOVERY_TIME: row?.at ?? '' };
    },
    over: async ({ USER_ID, RECOVERED_URL = '', AS_POSTGRES = '', BASE_BACKUP = '' }, output) => {
      expect(output).toMatch(/All \d+ accounts, with \d+ transactions, are as they were\./);
      const recovered = operate(RECOVERED_URL);
      const amounts = `SELECT amount FROM credit_transactions WHERE user_id = $1 ORDER BY seq`;
      const [before, after] = [
        await recovered.sql(amounts, [USER_ID]),
        await rowsOf(amounts, USER_ID),
      ];
      await recovered.close();
      expect(after.slice(before.length)).toEqual([{ amount: 5_000 }]);
      expect(before.at(-1)).toEqual({ amount: 7 });
      const stop = `$AS_POSTGRES pg_ctl --pgdata="$BASE_BACKUP/cluster" --mode=immediate stop`;
      const environment = { ...incidents.environment, AS_POSTGRES, BASE_BACKUP };
      expect((await run('sh', ['-eu'], stop, environment)).code).toBe(0);
    },
  },
  'rotating-secrets.md': {
    happen: async () => ({
      ...(await ageKeys()),
      OWNER_ROLE: 'talebank',
      NEXT_ROLE: 'talebank_next',
      NEXT_PASSWORD: "a ' quoted password",
      // Nothing has signed in as this role. The other test of this folder closes one that was used.
      PREVIOUS_ROLE: 'talebank_next',
    }),
    over: async (_values, output) => {
      expect(output.match(/ is valid until /g)?.length).toBeGreaterThanOrEqual(4);
      await asSuperuser('DROP ROLE talebank_next');
    },
  },
  'reconciliation-before-rollout.md': {
    happen: async () => {
      await dropRestored();
      return anchored();
    },
  },
};

test.each(all.map((page) => [page.name, page] as const))(
  'every command of %s runs',
  async (name, page) => {
    const incident = INCIDENTS[name] ?? {};
    const folder = await incidents.folder();
    const common = {
      ...incidents.values,
      ANCHOR_FILE: anchorFile,
      CASE: folder,
      LOG: join(folder, 'log'),
      ...(await personOf()),
    };
    const values = { ...common, ...(await incident.happen?.(common)) };
    const isDoing = ({ section }: Block): boolean => section.startsWith('What to do');
    const from = page.blocks.findIndex(isDoing);
    const doing = from === -1 ? page.blocks.length : from;
    let output = await runBlocks(page, page.blocks.slice(0, doing), values);
    await incident.beforeDoing?.(values);
    const later = { ...values, ...(await incident.happenMeanwhile?.(values)) };
    output += await runBlocks(page, page.blocks.slice(doing), later);
    await incident.over?.(later, output);
  },
);

test('Prometheus can read every expression of the pages and of the dashboards', async () => {
  const { DASHBOARDS } = await import('../../ops/grafana/dashboards.mjs');
  const expressions = [
    ...all.flatMap(({ blocks }) =>
      blocks.filter(({ language }) => language === 'promql').map(({ text }) => text),
    ),
    ...Object.values(DASHBOARDS).flatMap(({ panels }) =>
      panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => withValues(expr))),
    ),
  ];
  expect(expressions.length).toBeGreaterThan(100);
  const folder = await mkdtemp(join(tmpdir(), 'talebank-promql-'));
  const file = join(folder, 'rules.json');
  const rules = expressions.map((expr, index) => ({ record: `expression_${String(index)}`, expr }));
  // JSON is also YAML.
  await writeFile(file, JSON.stringify({ groups: [{ name: 'expressions', rules }] }));
  const { stdout } = await promisify(execFile)('promtool', ['check', 'rules', file]);
  expect(stdout).toContain(`${String(rules.length)} rules found`);
  await rm(folder, { recursive: true });
});

/** Replaces Grafana's variables as Grafana does. */
const withValues = (expr: string): string =>
  expr
    .replaceAll('$__rate_interval', '1m')
    .replaceAll('$__range', '6h')
    .replaceAll(/\$(?:job|instance)\b/g, '.+')
    .replaceAll(/\$[a-z_0-9]+/g, '15');
