import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  calculateJwkThumbprint,
  CompactSign,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
} from 'jose';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import type * as Allowance from '../../src/services/credits/allowance.js';
import type * as Keys from '../../src/services/anchors/keys.js';
import type * as Maintenance from '../../src/services/maintenance/run-maintenance.js';
import { linesOf, statementOf } from '../support/anchors.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/cluster.js';
import { debit, grant } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { expectSoundLedger } from '../support/invariants.js';
import { ledgerOn, type Ended } from '../support/ledger-cli.js';
import {
  cutAudit,
  cutHistory,
  dropAccount,
  preserved,
  sealAudit,
  sealHistory,
  tamper,
} from '../support/tampering.js';

let database: TestDatabase;
let app: OpenApp;
let folder: string;
/** The file of the anchor that everything is compared with. */
let file: string;
/** With a grant, a debit and a grant. */
let listener: UserId;
/** With a grant of 9 points and a debit of 2. */
let other: UserId;
/** Without history. */
let idle: UserId;
let admin: UserId;
let auditSeq: number;
let key: JWK;

beforeAll(async () => {
  database = await createDatabase();
  folder = await mkdtemp(join(tmpdir(), 'talebank-anchors-'));
  app = await openTestApp(database, { ANCHOR_DIR: folder });
  [listener, other, idle, admin] = (await makeAccounts(database, 4)) as [
    UserId,
    UserId,
    UserId,
    UserId,
  ];
  await grant(app, listener, { amount: 20, source: 'EVENT' });
  await debit(app, listener, 5);
  await grant(app, listener, { amount: 7 });
  await grant(app, other, { amount: 9, source: 'ADD_ON' });
  await debit(app, other, 2);
  const { setMonthlyCredits } = await compiled<typeof Allowance>('services/credits/allowance.js');
  for (const amount of [1, 2])
    await setMonthlyCredits(app, { userId: idle, amount, reason: 'A test' }, admin);
  [{ key }] = (await database.sql<{ key: JWK }>('SELECT private_jwk AS key FROM anchor_keys')) as [
    { key: JWK },
  ];
  file = await anchored();
  auditSeq = (statementOf((await lines()).last.statement)['audit'] as { seq: number }).seq;
  // What comes in later is no difference.
  const [late] = (await makeAccounts(database, 1)) as [UserId];
  await grant(app, late, { amount: 3 });
  await grant(app, other, { amount: 4 });
  await grant(app, idle, { amount: 4 });
});
afterAll(async () => {
  await expectSoundLedger(database);
  await app.close(1000);
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

/** One more anchor. @returns the path of its file */
async function anchored(): Promise<string> {
  const { runMaintenance } = await compiled<typeof Maintenance>(
    'services/maintenance/run-maintenance.js',
  );
  await runMaintenance(app, 'RECONCILE_CREDITS');
  const names = (await readdir(folder)).filter((name) => /^\d/.test(name)).sort();
  return join(folder, names.at(-1) ?? '');
}

const lines = async (): Promise<ReturnType<typeof linesOf>> =>
  linesOf(await readFile(file, 'utf8'));
const verify = (path = file, ...more: string[]): Promise<Ended> =>
  ledgerOn(database.url)('verify', '--anchor', path, ...more);
/** What is said of differences, once the ledger by itself was found sound. */
async function differences(...more: string[]): Promise<string[]> {
  const { code, stdout } = await verify(file, ...more);
  const said = stdout.split('\n');
  expect(said).toContainEqual(expect.stringMatching(/^Sound: /));
  const found = said.filter((line) => line.startsWith('FAIL')).map((line) => line.slice(9));
  expect(code).toBe(found.length === 0 ? 0 : 1);
  return found;
}

test('what came in since an anchor is no difference', async () => {
  const { code, stdout, stderr } = await verify();
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(/^Sound: 5 accounts, 8 transactions/m);
  expect(stdout).toContain('All 4 accounts, with 5 transactions, are as they were.');
});

describe('an owner of the database cannot', () => {
  const withTotals = (...found: string[]): unknown[] => [
    ...found,
    ...Array.from({ length: 2 }, () =>
      expect.stringMatching(/^[A-Z_]+: of what the anchor covers, /),
    ),
  ];

  test('cut the end of a history off', async () => {
    const found = await preserved(database, async () => {
      await cutHistory(database, listener, 2);
      return [
        await differences(),
        await differences('--user', listener),
        await differences('--user', other),
      ];
    });
    const cut = `user ${listener}: the history was cut; it ends with transaction 2, and the anchor has transaction 3`;
    expect(found).toEqual([withTotals(cut), [cut], []]);
    expect(found[0]).toContain(
      'FREE: of what the anchor covers, 0 points are granted now, and were 7',
    );
  });

  test('cut it off and let it grow again', async () => {
    const found = await preserved(database, async () => {
      await cutHistory(database, listener, 2);
      await grant(app, listener, { amount: 7 });
      return differences();
    });
    expect(found).toEqual([
      `user ${listener}: the history was rewritten at or before transaction 3, whose hash is another one than in the anchor`,
    ]);
  });

  test('rewrite a history with all its hashes', async () => {
    const found = await preserved(database, async () => {
      await tamper(
        database,
        `UPDATE credit_transactions SET balance_after = balance_after + 81 WHERE user_id = '${other}';
         UPDATE credit_transactions SET amount = 90, lot_terms = replace(lot_terms::text, '"9"', '"90"')::json
         WHERE user_id = '${other}' AND seq = 1;
         UPDATE credit_allocations SET amount = 90 WHERE user_id = '${other}' AND seq = 1;
         UPDATE credit_lots SET granted = 90, remaining = remaining + 81 WHERE user_id = '${other}' AND granted = 9`,
      );
      await sealHistory(database, other);
      return differences();
    });
    expect(found).toEqual(
      withTotals(
        `user ${other}: the history was rewritten at or before transaction 2, whose hash is another one than in the anchor`,
      ),
    );
    expect(found).toContain(
      'ADD_ON: of what the anchor covers, 90 points are granted now, and were 9',
    );
  });

  test('delete an account, with or without a history', async () => {
    const found = await preserved(database, async () => {
      await dropAccount(database, listener);
      await dropAccount(database, idle);
      return differences();
    });
    expect(found).toEqual(
      expect.arrayContaining([
        `user ${listener}: the account is gone; by the anchor its history ends with transaction 3`,
        `user ${idle}: the account is gone; by the anchor its history ends with transaction 0`,
      ]),
    );
  });

  test('cut the end of the audit log off', async () => {
    const found = await preserved(database, async () => {
      await cutAudit(database, auditSeq);
      const own = await differences();
      await cutAudit(database, auditSeq - 1);
      return [own, await differences()];
    });
    const none = `the audit log was cut or rewritten: it has no entry of the anchor after entry ${String(auditSeq)}`;
    expect(found).toEqual([
      [none],
      [
        `the audit log was cut: it ends with entry ${String(auditSeq - 1)}, and the anchor has entry ${String(auditSeq)}`,
        none,
      ],
    ]);
  });

  test('rewrite the audit log with all its hashes', async () => {
    const found = await preserved(database, async () => {
      await tamper(
        database,
        `UPDATE audit_entries SET reason = 'x' WHERE seq = ${String(auditSeq)}`,
      );
      await sealAudit(database);
      return differences();
    });
    expect(found).toEqual([
      `the audit log was rewritten at or before entry ${String(auditSeq)}, whose hash is another one than in the anchor`,
    ]);
  });

  test('forge the source of points', async () => {
    const found = await preserved(database, async () => {
      await tamper(
        database,
        `UPDATE credit_lots SET source = 'FREE' WHERE user_id = '${other}' AND source = 'ADD_ON'`,
      );
      return (await verify()).stdout.split('\n').filter((line) => /^FAIL {5}/.test(line));
    });
    expect(found.length).toBe(6);
  });
});

/** Another payload, header or key. */
async function signed(
  change: {
    statement?: Record<string, unknown>;
    header?: Record<string, unknown>;
    by?: JWK;
  } = {},
): Promise<string> {
  const { statement } = (await lines()).last;
  const header = JSON.parse(
    Buffer.from(statement.split('.')[0] ?? '', 'base64url').toString(),
  ) as object;
  return new CompactSign(
    Buffer.from(JSON.stringify({ ...statementOf(statement), ...change.statement })),
  )
    .setProtectedHeader({ alg: 'EdDSA', ...header, ...change.header })
    .sign(await importJWK(change.by ?? key, 'EdDSA'));
}

/** A file with these lines. */
async function fileOf(name: string, text: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

describe('a file that does not verify is refused with a message:', () => {
  const wrong: [what: string, change: (text: string) => Promise<string> | string, words: RegExp][] =
    [
      ['an empty one', () => '', /is no whole file of an anchor/],
      ['a file of something else', () => '{"kind":"account"}\n', /is no whole file of an anchor/],
      ['a cut one', (text) => text.slice(0, -80), /it was cut off, or is another file/],
      [
        'one without its statement',
        (text) => text.split('\n').slice(0, -2).join('\n') + '\n',
        /it was cut off, or is another file/,
      ],
      [
        'a changed number',
        (text) => text.replace(`["${listener}",3,`, `["${listener}",2,`),
        /has 4 accounts with 4 transactions, but its statement was signed over 4 with 5/,
      ],
      [
        'a changed head',
        (text) =>
          text.replace(
            /(",3,"[0-9a-f]{63})(.)/,
            (_, before: string, digit: string) => before + (digit === '0' ? '1' : '0'),
          ),
        /are not those that its statement was signed over/,
      ],
      ['an account that is gone', (text) => text.replace(/\n\["[^\n]*/, ''), /has 3 accounts/],
      [
        'accounts that changed places',
        (text) => text.replace(/\n(\[[^\n]*)\n(\[[^\n]*)/, '\n$2\n$1'),
        /line 3: the accounts are not in the order of their ids/,
      ],
      [
        'a line of something else',
        (text) => text.replace('\n[', '\n['.repeat(2)),
        /line 2: this is no account/,
      ],
      [
        'another first line',
        (text) => text.replace('"format":1', '"format":9'),
        /line 1: this is no file of an anchor/,
      ],
      [
        'a second statement',
        (text) => `${text}${text.trimEnd().split('\n').at(-1) ?? ''}\n`,
        /something follows the statement/,
      ],
      [
        'a statement that says something else',
        async (text) => {
          const { statement } = linesOf(text).last;
          const [header = '', , signature = ''] = statement.split('.');
          const [, payload = ''] = (await signed({ statement: { accounts: 9 } })).split('.');
          return text.replace(statement, [header, payload, signature].join('.'));
        },
        /signature of the anchor does not fit/,
      ],
      [
        'another key by the name of ours',
        async (text) => {
          const { privateKey } = await generateKeyPair('EdDSA', { extractable: true });
          const by = await exportJWK(privateKey);
          return text.replace(linesOf(text).last.statement, await signed({ by }));
        },
        /signature of the anchor does not fit/,
      ],
      [
        'a key that signs access tokens',
        async (text) => {
          const [row] = await database.sql<{ kid: string; jwk: JWK }>(
            'SELECT kid, private_jwk AS jwk FROM signing_keys LIMIT 1',
          );
          const statement = await signed({ by: row?.jwk ?? {}, header: { kid: row?.kid } });
          return text.replace(linesOf(text).last.statement, statement);
        },
        /not one of the trusted keys/,
      ],
      [
        'another type',
        async (text) =>
          text.replace(linesOf(text).last.statement, await signed({ header: { typ: 'at+jwt' } })),
        /is no anchor, because its type is another one/,
      ],
      [
        'a statement of another form',
        async (text) =>
          text.replace(
            linesOf(text).last.statement,
            await signed({ statement: { accounts: 'x' } }),
          ),
        /of a form that is known here/,
      ],
    ];
  test.each(wrong)('%s', async (_what, change, words) => {
    const path = await fileOf('wrong.jsonl', await change(await readFile(file, 'utf8')));
    const { code, stdout, stderr } = await verify(path);
    expect([code, stdout, stderr]).toEqual([1, '', expect.stringMatching(words)]);
  });

  test('none at all, no user, and a key without an anchor', async () => {
    const ledger = ledgerOn(database.url);
    for (const [args, words] of [
      [['verify', '--anchor', join(folder, 'none')], /none cannot be read/],
      [['verify', '--anchor', folder], /cannot be read/],
      [['verify', '--key', file], /^Usage:/],
      [['prove', listener], /^Usage:/],
      [['prove', '--anchor', file], /^Usage:/],
      [['verify', '--anchor', file, '--key', join(folder, 'none')], /none cannot be read/],
      [['verify', '--anchor', file, '--key', file], /neither a JSON Web Key nor a set/],
    ] as const) {
      const { code, stdout, stderr } = await ledger(...args);
      expect([code, stdout, stderr]).toEqual([1, '', expect.stringMatching(words)]);
    }
  });
});

test('an anchor stays provable when its key is rotated, and what the old key signs later is refused', async () => {
  const { rotateAnchorKey } = await compiled<typeof Keys>('services/anchors/keys.js');
  await rotateAnchorKey(app.db);
  const next = await anchored();
  const kids = await Promise.all(
    [file, next].map(async (path) => linesOf(await readFile(path, 'utf8')).last.key['kid']),
  );
  expect(kids[0]).not.toBe(kids[1]);
  expect([(await verify()).code, (await verify(next)).code]).toEqual([0, 0]);
  const at = database.ledgerTime(1_000).toISOString();
  const text = await readFile(file, 'utf8');
  const late = text.replace(linesOf(text).last.statement, await signed({ statement: { at } }));
  expect((await verify(await fileOf('late.jsonl', late))).stderr).toMatch(/signs nothing since/);
});

test('a key that was kept outside of the database decides against the keys in it', async () => {
  const { d: _secret, ...publicJwk } = key;
  const published = await app.anchorKeys.publicKeys();
  const tokenKeys = await app.keys.publicKeys();
  const alone = await fileOf('key.json', JSON.stringify(publicJwk));
  const set = await fileOf('jwks.json', JSON.stringify({ keys: [...tokenKeys, ...published] }));
  for (const path of [alone, set]) expect((await verify(file, '--key', path)).code).toBe(0);
  // An attacker who can write to the database can add a key of their own.
  const { privateKey } = await generateKeyPair('EdDSA', { extractable: true });
  const by = await exportJWK(privateKey);
  const { d: _other, ...forged } = by;
  const kid = 'forged';
  await database.sql(
    'INSERT INTO anchor_keys (kid, public_jwk, created_at) VALUES ($1, $2, now())',
    [kid, forged],
  );
  const text = await readFile(file, 'utf8');
  const statement = await signed({ by, header: { kid } });
  const path = await fileOf('forged.jsonl', text.replace(linesOf(text).last.statement, statement));
  expect((await verify(path)).stderr).not.toMatch(/none of the keys/);
  for (const pinned of [alone, set]) {
    const { code, stderr } = await verify(path, '--key', pinned);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/not one of the trusted keys/)]);
  }
  // The set has the keys of access tokens too, which sign no anchors, by whatever name.
  const [row] = await database.sql<{ jwk: JWK }>(
    'SELECT private_jwk AS jwk FROM signing_keys LIMIT 1',
  );
  const tokenKey = row?.jwk ?? {};
  const tokenKid = await calculateJwkThumbprint(tokenKey);
  const byToken = await signed({ by: tokenKey, header: { kid: tokenKid } });
  const other = await fileOf('token.jsonl', text.replace(linesOf(text).last.statement, byToken));
  expect((await verify(other, '--key', set)).stderr).toMatch(/not one of the trusted keys/);
});
