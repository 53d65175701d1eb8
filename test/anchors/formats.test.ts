import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import type { UserId } from '../../src/domain/ids.js';
import type * as Maintenance from '../../src/services/maintenance/run-maintenance.js';
import { expectedStatement, linesOf, statementOf } from '../support/anchors.js';
import { openTestApp } from '../support/app.js';
import { debit, grant } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { ledgerOn, verifyExport } from '../support/ledger-cli.js';
import { preserved, sealHistory, tamper } from '../support/tampering.js';
import { upgradedDatabase } from '../support/upgraded.js';

test('an anchor over histories of format 1 stays provable when they go on in format 2, and one over both too', async () => {
  const database = await upgradedDatabase();
  const folder = await mkdtemp(join(tmpdir(), 'talebank-anchors-'));
  const kept = join(folder, 'kept');
  const app = await openTestApp(database, { ANCHOR_DIR: kept });
  const { runMaintenance } = await compiled<typeof Maintenance>(
    'services/maintenance/run-maintenance.js',
  );
  const [anna, ben] = (
    await database.sql<{ id: UserId }>(
      `SELECT id FROM users WHERE email LIKE 'anna%' OR email LIKE 'ben%' ORDER BY email`,
    )
  ).map(({ id }) => id) as [UserId, UserId];
  const anchored = async (): Promise<string> => {
    await runMaintenance(app, 'RECONCILE_CREDITS');
    const name = (await readdir(kept)).sort().at(-1) ?? '';
    const { statement } = linesOf(await readFile(join(kept, name), 'utf8')).last;
    expect(statementOf(statement)).toMatchObject(await expectedStatement(database));
    return join(kept, name);
  };
  const before = await anchored();
  await debit(app, anna, 1);
  await grant(app, ben, { amount: 3 });
  const between = await anchored();
  await debit(app, anna, 1);
  const ledger = ledgerOn(database.url);
  const formats = await database.sql(
    `SELECT format, count(*)::int AS count FROM credit_transactions WHERE user_id = '${anna}' GROUP BY format ORDER BY format`,
  );
  expect(formats).toEqual([
    { format: 1, count: expect.any(Number) },
    { format: 2, count: 2 },
  ]);
  for (const file of [before, between]) {
    expect((await ledger('verify', '--anchor', file)).code).toBe(0);
    for (const userId of [anna, ben]) {
      const { stdout } = await ledger('prove', userId, '--anchor', file);
      const path = join(folder, 'proof.jsonl');
      await writeFile(path, stdout);
      const { code, stdout: said } = await verifyExport(path);
      expect([code, said]).toEqual([0, expect.stringMatching(/^Sound: .*, the first \d+ as of /)]);
    }
  }
  const seen = await preserved(database, async () => {
    await tamper(
      database,
      `UPDATE credit_transactions SET reason = 'Another one' WHERE user_id = '${anna}' AND seq = 2`,
    );
    await sealHistory(database, anna);
    return Promise.all(
      [before, between].map(async (file) => (await ledger('verify', '--anchor', file)).stdout),
    );
  });
  for (const said of seen) {
    expect(said).toMatch(/^Sound: /m);
    expect(said).toMatch(new RegExp(`^FAIL     user ${anna}: the history was rewritten`, 'm'));
    expect(said).toMatch(/^1 differences/m);
  }
  await app.close(1000);
  await database.drop();
  await rm(folder, { recursive: true, force: true });
});
