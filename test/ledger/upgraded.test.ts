import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import type * as Export from '../../src/services/reconciliation/export.js';
import type * as Grants from '../../src/services/credits/grant-credits.js';
import type * as Reconcile from '../../src/services/reconciliation/reconcile.js';
import { openTestApp } from '../support/app.js';
import type { TestDatabase } from '../support/cluster.js';
import { debit, grant, revoke } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { brokenAudit } from '../support/chain.js';
import { expectSoundLedger, violations } from '../support/invariants.js';
import { upgradedDatabase } from '../support/upgraded.js';

/** A ledger of the release before format 2 of the chain: what it says, and what the upgrade makes of it. */
const VERIFIER = fileURLToPath(new URL('../../scripts/verify-export.mjs', import.meta.url));

let database: TestDatabase;
let app: OpenApp;
let folder: string;
let reconcile: typeof Reconcile;
let exports: typeof Export;
const people = new Map<string, UserId>();

const person = (name: string): UserId => people.get(name) ?? ('' as UserId);

beforeAll(async () => {
  [database, folder] = await Promise.all([
    upgradedDatabase(),
    mkdtemp(join(tmpdir(), 'talebank-upgraded-')),
  ]);
  app = await openTestApp(database);
  reconcile = await compiled<typeof Reconcile>('services/reconciliation/reconcile.js');
  exports = await compiled<typeof Export>('services/reconciliation/export.js');
  for (const { id, email } of await database.sql<{ id: UserId; email: string }>(
    'SELECT id, email FROM users',
  ))
    people.set(email.replace(/@.*|-.*/, ''), id);
});
afterAll(async () => {
  await app.close(1000);
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});

/** The numbers of the rules that are violated. */
const violated = async (): Promise<string[]> =>
  (await reconcile.checkLedger(app)).checks
    .filter((check) => check.violations > 0)
    .map(({ invariant }) => invariant);

/** What the stand-alone verifier says of everyone's export. */
async function verifyExports(): Promise<string[]> {
  const said: string[] = [];
  for (const [name, userId] of people) {
    const lines: string[] = [];
    for await (const line of exports.exportAccount(app, userId)) lines.push(JSON.stringify(line));
    const file = join(folder, `${name}.jsonl`);
    await writeFile(file, lines.join('\n'));
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [VERIFIER, file]).catch(
      (error: unknown) => error as { stdout: string; stderr: string },
    );
    said.push(`${name}: ${stdout.split(':')[0] ?? ''} ${stderr}`.trim());
  }
  return said.sort();
}

const SOUND = ['admin', 'anna', 'ben', 'carl', 'deleted'].map((name) => `${name}: Sound`);

/** Runs SQL as someone who owns the database, and afterwards what undoes it. */
async function tampered<Result>(
  sql: string,
  undo: string,
  look: () => Promise<Result>,
): Promise<Result> {
  const run = (text: string): Promise<unknown> =>
    database.sql(
      `SET session_replication_role = replica; ${text}; SET session_replication_role = origin`,
    );
  await run(sql);
  try {
    return await look();
  } finally {
    await run(undo);
  }
}

const lotOf = async (name: string, where: string): Promise<string> => {
  const [lot] = await database.sql<{ id: string }>(
    `SELECT id FROM credit_lots WHERE user_id = $1 AND ${where} ORDER BY id LIMIT 1`,
    [person(name)],
  );
  return lot?.id ?? '';
};

/** Changes of old lots that are seen from the first movement on. */
const changesOf = (lots: {
  free: string;
  event: string;
  revoked: string;
}): readonly (readonly [set: string, undo: string, lotId: string])[] => [
  [`source = 'ADD_ON'`, `source = 'FREE'`, lots.free],
  [
    `expires_at = expires_at + interval '10 years'`,
    `expires_at = expires_at - interval '10 years'`,
    lots.event,
  ],
  [`revoked_at = now()`, `revoked_at = NULL`, lots.event],
  [
    `revoked_at = revoked_at + interval '1 day'`,
    `revoked_at = revoked_at - interval '1 day'`,
    lots.revoked,
  ],
];

const ofAnnaAndBen = (): string => `user_id IN ('${person('anna')}', '${person('ben')}')`;

test('what was written before is sound after the upgrade, and the first movement covers the lots that were there', async () => {
  expect(await violated()).toEqual([]);
  await expectSoundLedger(database);
  expect(await verifyExports()).toEqual(SOUND);
  // Earlier checks have kept no checkpoint, so that the first one reads all history.
  const first = await reconcile.reconcileCredits(app);
  expect([first.ok, first.isFull, first.transactionsRead]).toEqual([
    true,
    true,
    first.transactions,
  ]);
  const event = await lotOf('anna', `source = 'EVENT' AND remaining = 0`);
  const revocation = `UPDATE credit_lots SET revoked_at = now() WHERE id = '${event}'`;
  const undo = `UPDATE credit_lots SET revoked_at = NULL WHERE id = '${event}'`;
  expect(await tampered(revocation, undo, violated)).toEqual(['15']);

  await debit(app, person('anna'), 1);
  await grant(app, person('ben'), { amount: 3 });
  // What follows has nothing of lots to cover any more.
  await debit(app, person('anna'), 1);
  const covering = await database.sql(
    `SELECT user_id, json_array_length(lot_terms) AS terms, cardinality(revoked_lots) AS revoked
     FROM credit_transactions WHERE format = 2 AND ${ofAnnaAndBen()} ORDER BY user_id, seq`,
  );
  expect(covering).toEqual([
    { user_id: person('anna'), terms: 8, revoked: null },
    { user_id: person('anna'), terms: null, revoked: null },
    { user_id: person('ben'), terms: 7, revoked: 2 },
  ]);
  expect(await violated()).toEqual([]);
  expect(await reconcile.reconcileCredits(app)).toMatchObject({ ok: true, isFull: false });
  await expectSoundLedger(database);
  expect(await verifyExports()).toEqual(SOUND);

  const free = await lotOf('anna', `source = 'FREE'`);
  const revoked = await lotOf('ben', `revoked_at IS NOT NULL`);
  for (const [set, back, id] of changesOf({ free, event, revoked })) {
    const [inside, own] = await tampered(
      `UPDATE credit_lots SET ${set} WHERE id = '${id}'`,
      `UPDATE credit_lots SET ${back} WHERE id = '${id}'`,
      async () => [await violated(), Object.keys(await violations(database))] as const,
    );
    expect(inside).toContain('15');
    expect(own.map((name) => name.split(' ')[0])).toContain('15');
  }
  const outside = await tampered(
    `UPDATE credit_lots SET source = 'ADD_ON' WHERE id = '${free}'`,
    `UPDATE credit_lots SET source = 'FREE' WHERE id = '${free}'`,
    verifyExports,
  );
  expect(outside).toContainEqual(expect.stringMatching(/^anna: 1 problems .*not what its terms/));
  expect(await violated()).toEqual([]);
});

test('the audit entries of before are sealed by the upgrade, and a changed one is seen', async () => {
  expect(await brokenAudit(database)).toEqual([]);
  const [count] = await database.sql(
    `SELECT count(*)::int AS entries FROM audit_entries WHERE details IS NULL`,
  );
  expect(count).toEqual({ entries: 28 });
  const entry = `action = 'setMonthlyCredits' AND reason = 'A tr`;
  const seen = await tampered(
    `UPDATE audit_entries SET reason = 'A treat' WHERE ${entry}ial'`,
    `UPDATE audit_entries SET reason = 'A trial' WHERE ${entry}eat'`,
    async () => [await violated(), (await brokenAudit(database)).length] as const,
  );
  expect(seen).toEqual([['16'], 1]);
});

test('an empty lot that is revoked is covered by the next movement, and vouched for until then', async () => {
  const [userId, admin] = [person('admin'), person('admin')];
  await debit(app, userId, 10);
  const lotId = await lotOf('admin', 'true');
  await revoke(app, userId, lotId, admin);
  const uncovered = (): Promise<unknown> =>
    database.sql('SELECT uncovered_revocations AS ids FROM credit_accounts WHERE user_id = $1', [
      userId,
    ]);
  expect(await uncovered()).toEqual([{ ids: [lotId] }]);
  expect(await violated()).toEqual([]);
  expect(await verifyExports()).toEqual(SOUND);
  expect(
    await tampered(
      `UPDATE credit_accounts SET uncovered_revocations = '{}' WHERE user_id = '${userId}'`,
      `UPDATE credit_accounts SET uncovered_revocations = ARRAY['${lotId}'::uuid] WHERE user_id = '${userId}'`,
      violated,
    ),
  ).toEqual(['15']);
  await grant(app, userId, { amount: 1 });
  expect(await uncovered()).toEqual([{ ids: [] }]);
  const [covering] = await database.sql(
    'SELECT revoked_lots FROM credit_transactions WHERE user_id = $1 ORDER BY seq DESC LIMIT 1',
    [userId],
  );
  expect(covering).toEqual({ revoked_lots: [lotId] });
  expect(await violated()).toEqual([]);
  expect(await verifyExports()).toEqual(SOUND);
});

test('a movement that a process of the earlier release books meanwhile is covered by the next one', async () => {
  const userId = person('carl');
  await debit(app, userId, 1);
  // As that release writes it: of format 1, with a lot whose terms nothing covers.
  await database.sql(`
    WITH lot AS (
      INSERT INTO credit_lots (user_id, id, source, priority, granted, remaining, granted_at)
      VALUES ('${userId}', '01a2290d-ffff-7000-8000-000000000001', 'ADD_ON', 40, 4, 4, '2026-03-13T10:05:00.000Z')
      RETURNING id
    ), text AS (
      SELECT last_seq + 1 AS seq, sha256(head_hash || convert_to(concat('["${userId}","', last_seq + 1,
        '","GRANT","4","13","2026-03-13T10:05:00.000Z","2026-03-13T10:05:00.000Z","x","grant:x","","","","",',
        '[["01a2290d-ffff-7000-8000-000000000001","4"]]]'), 'UTF8')) AS hash
      FROM credit_accounts WHERE user_id = '${userId}'
    ), moved AS (
      UPDATE credit_accounts SET last_seq = text.seq, head_hash = text.hash FROM text WHERE user_id = '${userId}'
    ), booked AS (
      INSERT INTO credit_transactions (user_id, seq, id, type, amount, balance_after, reason, idempotency_key,
        effective_at, recorded_at, hash)
      SELECT '${userId}', seq, gen_random_uuid(), 'GRANT', 4, 13, 'x', 'grant:x', '2026-03-13T10:05:00.000Z',
        '2026-03-13T10:05:00.000Z', hash FROM text
    )
    INSERT INTO credit_allocations (user_id, seq, ordinal, lot_id, amount)
    SELECT '${userId}', text.seq, 1, lot.id, 4 FROM text, lot`);
  await database.startClock('2026-03-13T10:10:00.000Z');
  expect(await violated()).toEqual([]);
  await debit(app, userId, 1);
  expect(await violated()).toEqual([]);
  expect(await verifyExports()).toEqual(SOUND);
  const wrong = await tampered(
    `UPDATE credit_lots SET priority = 1 WHERE id = '01a2290d-ffff-7000-8000-000000000001'`,
    `UPDATE credit_lots SET priority = 40 WHERE id = '01a2290d-ffff-7000-8000-000000000001'`,
    violated,
  );
  expect(wrong).toEqual(['15']);
});

test('a grant of a release without prices is replayed, and the same grant with a price is another request', async () => {
  const { grantCredits } = await compiled<typeof Grants>('services/credits/grant-credits.js');
  const userId = person('anna');
  const asked = {
    userId,
    amount: 4,
    source: 'REFERRAL' as const,
    reason: 'A test',
    idempotencyKey: 'test-2',
  };
  expect(await grantCredits(app, asked, person('admin'))).toMatchObject({ seq: 4, replayed: true });
  const sold = { ...asked, priceMinor: 199, currency: 'EUR' };
  await expect(grantCredits(app, sold, person('admin'))).rejects.toMatchObject({
    code: 'IDEMPOTENCY_KEY_REUSED',
  });
});

test.each([
  `UPDATE credit_lots SET source = 'ADD_ON' WHERE source = 'FREE'`,
  `UPDATE credit_lots SET expires_at = expires_at + interval '10 years' WHERE expires_at IS NOT NULL`,
  `UPDATE credit_lots SET expires_at = now() WHERE expires_at IS NULL`,
  'UPDATE credit_lots SET granted = granted + 1',
  'UPDATE credit_lots SET priority = 1',
  `UPDATE credit_lots SET granted_at = granted_at - interval '1 day'`,
  `UPDATE credit_lots SET period = '2020-01'`,
  'UPDATE credit_lots SET parent_lot_id = id',
  `UPDATE credit_lots SET price_minor = 1, currency = 'EUR'`,
  'UPDATE credit_lots SET id = gen_random_uuid()',
  'UPDATE credit_lots SET revoked_at = NULL WHERE revoked_at IS NOT NULL',
  'UPDATE credit_lots SET revoked_at = now() WHERE revoked_at IS NOT NULL',
  'DELETE FROM credit_lots',
  'TRUNCATE credit_lots CASCADE',
])('the database refuses to rewrite a lot: %s', async (statement) => {
  await expect(database.sql(statement)).rejects.toThrow(/is refused/);
});
