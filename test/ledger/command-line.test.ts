import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { debit, grant, refund, revoke, revokePart } from '../support/commands.js';
import { expectSoundLedger } from '../support/invariants.js';
import { machineClock, V8_FLAGS } from '../support/machine.js';

const LEDGER = fileURLToPath(new URL('../../dist/cli/ledger.js', import.meta.url));
const CACHE = { NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '' };
const VERIFIER = fileURLToPath(new URL('../../scripts/verify-export.mjs', import.meta.url));

let database: TestDatabase;
let app: OpenApp;
let folder: string;
let listener: UserId;
let lotId: string;

beforeAll(async () => {
  database = await createDatabase();
  app = await openTestApp(database);
  folder = await mkdtemp(join(tmpdir(), 'talebank-cli-'));
  const [one, admin] = (await makeAccounts(database, 2)) as [UserId, UserId];
  listener = one;
  ({ lotId } = await grant(app, listener, { amount: 3_000 }));
  const other = await grant(app, listener, {
    amount: 5,
    source: 'EVENT',
    expiresAt: database.ledgerTime(86_400_000),
  });
  const { debitSeq } = await debit(app, listener, 7);
  await refund(app, listener, debitSeq ?? 0);
  await database.sql(`UPDATE audios SET status = 'FAILED', failure_reason = 'A test'`);
  await revokePart(app, { userId: listener, lotId: other.lotId }, admin, { amount: 2 });
  await revoke(app, listener, other.lotId, admin);
  await Promise.all(Array.from({ length: 1_500 }, () => debit(app, listener, 1)));
});
afterAll(async () => {
  await expectSoundLedger(database);
  await app.close(1000);
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const run = (
  script: string,
  args: readonly string[],
  environment: Record<string, string> = {},
): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(
      process.execPath,
      [...V8_FLAGS, script, ...args],
      {
        env: { ...machineClock(), DATABASE_URL: database.url, ...CACHE, ...environment },
        maxBuffer: 64 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        resolve({ code: Number(error?.code ?? 0), stdout, stderr });
      },
    );
  });
const ledger = (...args: string[]): Promise<Ended> => run(LEDGER, args);

const tamper = (sql: string): Promise<unknown> =>
  database.sql(
    `SET session_replication_role = replica; ${sql}; SET session_replication_role = origin`,
  );

describe('verify', () => {
  test('says of every rule that it holds, and ends with 0', async () => {
    const { code, stdout, stderr } = await ledger('verify');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.match(/^ok {2}/gm)?.length).toBe(17);
    expect(stdout).toMatch(/Sound: 2 accounts, 1506 transactions/);
    expect((await ledger('verify', '--user', listener)).stdout).toMatch(/Sound: 1 accounts/);
    expect((await ledger('verify', '--user', `${listener}@EXAMPLE.com`)).code).toBe(0);
  });

  test('ends with 1 when a rule is violated, and --repair sets what remains right, with an audit entry', async () => {
    await tamper(`UPDATE credit_lots SET remaining = remaining - 2 WHERE id = '${lotId}'`);
    const broken = await ledger('verify', '--user', listener);
    expect(broken.code).toBe(1);
    expect(broken.stdout).toMatch(/^FAIL {2}1 /m);
    expect(broken.stdout).toContain(`user ${listener}, lot ${lotId}`);
    const lines = broken.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toContainEqual(
      expect.objectContaining({ invariant: '1', userId: listener, lotId }),
    );
    const repaired = await ledger('verify', '--repair');
    expect([repaired.code, repaired.stdout]).toEqual([0, expect.stringMatching(/^1 lot was set/)]);
    const audit = await database.sql('SELECT action, target, reason, actor_id FROM audit_entries');
    expect(audit).toContainEqual({
      action: 'ledger verify --repair',
      target: lotId,
      reason: 'remaining was 1498, its allocations say 1500',
      actor_id: null,
    });
  });

  test('--repair never edits history', async () => {
    await tamper(
      `UPDATE credit_transactions SET reason = 'Other' WHERE user_id = '${listener}' AND seq = 9`,
    );
    const { code, stdout } = await ledger('verify', '--repair');
    expect([code, stdout]).toEqual([1, expect.stringMatching(/^0 lots.*\n(.*\n)*FAIL {2}9 /)]);
    await tamper(
      `UPDATE credit_transactions SET reason = 'A test' WHERE user_id = '${listener}' AND seq = 9`,
    );
  });
});

describe('reconcile', () => {
  test('reads what came after the checkpoints, and --full and verify read everything', async () => {
    // The rule of the week must not decide what this sees.
    const keepWeek = (): Promise<unknown> =>
      database.sql(`UPDATE reconciliations SET checked_at = ledger_now() + interval '8 days'`);
    const first = await ledger('reconcile', '--full');
    expect([first.code, first.stderr]).toEqual([0, '']);
    expect(first.stdout).toMatch(/^Sound: 2 accounts, 1506 transactions, \d/m);
    await keepWeek();
    const second = await ledger('reconcile');
    expect([second.code, second.stdout]).toEqual([
      0,
      expect.stringMatching(
        /^Sound: 2 accounts, 1506 transactions, of which 0 came after the checkpoints and were read, /m,
      ),
    ]);
    const change = (reason: string): Promise<unknown> =>
      tamper(
        `UPDATE credit_transactions SET reason = '${reason}' WHERE user_id = '${listener}' AND seq = 9`,
      );
    await change('Other');
    try {
      expect((await ledger('reconcile')).code).toBe(0);
      const seen = [1, expect.stringMatching(/^FAIL {2}9 /m)];
      const verified = await ledger('verify');
      expect([verified.code, verified.stdout]).toEqual(seen);
      for (const args of [['reconcile', '--full'], ['reconcile']]) {
        const { code, stdout } = await ledger(...args);
        expect([code, stdout]).toEqual(seen);
        await keepWeek();
      }
    } finally {
      await change('A test');
    }
    expect((await ledger('reconcile')).stdout).toMatch(/^Sound: .* of which 150\d came after/m);
  });
});

test('show prints the balance, the lots and the newest movements', async () => {
  const { code, stdout } = await ledger('show', listener);
  expect(code).toBe(0);
  expect(stdout).toContain('1500 points can be spent, FREE 1500');
  expect(stdout).toMatch(/EVENT {4}REVOKED +0 of 5/);
  expect(stdout).toMatch(/1506 .* DEBIT +-1 {2}balance 1500/);
});

describe('export', () => {
  let exporting: Promise<Ended> | undefined;
  const exported = async (
    change: (lines: string[]) => string[] = (lines) => lines,
  ): Promise<Ended> => {
    const { code, stdout } = await (exporting ??= ledger('export', listener));
    expect(code).toBe(0);
    const file = join(folder, 'export.jsonl');
    await writeFile(file, change(stdout.trimEnd().split('\n')).join('\n'));
    return run(VERIFIER, [file]);
  };
  const replaced =
    (pattern: RegExp, by: string) =>
    (lines: string[]): string[] =>
      lines.map((line) => line.replace(pattern, by));

  test('is enough to verify the chain elsewhere', async () => {
    expect(await exported()).toEqual({
      code: 0,
      stdout: 'Sound: 1506 transactions, 2 lots\n',
      stderr: '',
    });
  });

  test.each([
    [
      'a changed word',
      replaced(/("seq":700,.*"reason":")A test/, '$1A tesst'),
      'transaction 700: the hash',
    ],
    ['a changed amount', replaced(/("seq":700,.*"amount":)-1/, '$1-2'), 'transaction 700: '],
    [
      'a movement that is gone',
      (lines: string[]) => lines.filter((line) => !line.includes('"seq":700,')),
      'transaction 701: comes after 699',
    ],
    [
      'an end that is cut off',
      (lines: string[]) => lines.slice(0, -1),
      'does not end where the account says',
    ],
    [
      'a lot of another source',
      replaced(/"source":"FREE"/, '"source":"ADD_ON"'),
      'is not what its terms say',
    ],
    [
      'a lot that lapses later',
      replaced(/("expires_at":")\d{4}/, '$19999'),
      'is not what its terms say',
    ],
    [
      'a revocation that is gone',
      replaced(/"revoked_at":"[^"]+"/, '"revoked_at":null'),
      'differ about whether it is revoked',
    ],
    [
      'another id of a movement',
      replaced(/("seq":700,"id":")0/, '$1f'),
      'transaction 700: the hash',
    ],
    [
      'another request',
      replaced(/("seq":1,.*"request_hash":")[0-9a-f]{8}/, '$1ffffffff'),
      'transaction 1: the hash',
    ],
    [
      'terms that are gone',
      replaced(/("seq":1,.*"lot_terms":)\[\[.*?\]\]/, '$1[]'),
      'transaction 1: the hash',
    ],
    [
      'a lot that holds another number',
      replaced(/"remaining":1500/, '"remaining":1600'),
      'holds 1500 by its history, not 1600',
    ],
  ])('and %s shows', async (_what, change, complaint) => {
    const { code, stderr } = await exported(change);
    expect([code, stderr]).toEqual([1, expect.stringContaining(complaint)]);
  });
});

test.each([
  ['nothing', [], 'Usage:'],
  ['an unknown command', ['delete'], 'Usage:'],
  ['an unknown option', ['verify', '--fix'], 'Usage:'],
  ['no user', ['show'], 'Usage:'],
  [
    'a user who is not there',
    ['show', 'nobody@example.com'],
    'There is no user nobody@example.com.',
  ],
  ['a journal of no month', ['journal'], 'Usage:'],
  ['another format', ['journal', '--month', '2026-01', '--format', 'xml'], 'Usage:'],
  [
    'a month that is none',
    ['journal', '--month', '2026-13'],
    'month: must be a month, for example',
  ],
  ['the journal of a month to come', ['journal', '--month', '2100-01'], 'month: has not begun yet'],
  ['the closing of no month', ['close-month'], 'Usage:'],
  [
    'the closing of a month to come',
    ['close-month', '2100-01'],
    'The books of 2100-01 can be closed',
  ],
  ['an id that is none', ['export', 'nobody'], 'There is no user nobody.'],
])('%s gets an answer in words', async (_what, args, answer) => {
  const { code, stdout, stderr } = await ledger(...args);
  expect([code, stdout, stderr]).toEqual([1, '', expect.stringMatching(new RegExp(`^${answer}`))]);
});

test('a folder without a database is not turned into one', async () => {
  const { code, stderr } = await run(LEDGER, ['verify'], {
    DATABASE_URL: '',
    DATA_DIR: join(folder, 'empty'),
  });
  expect([code, stderr]).toEqual([1, expect.stringMatching(/^There is no database in .*empty/)]);
});
