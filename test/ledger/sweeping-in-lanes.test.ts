import { expect, test } from '@jest/globals';
import type * as Maintenance from '../../src/services/maintenance/run-maintenance.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, MID_MONTH } from '../support/cluster.js';
import { grant } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { expectSoundLedger } from '../support/invariants.js';

const HOUR_MS = 3_600_000;

test('one sweep books all lots of accounts that have many, because an account is in one transaction at a time', async () => {
  const database = await createDatabase({ clockAt: MID_MONTH });
  const app = await openTestApp(database);
  const users = await makeAccounts(database, 30);
  const expiresAt = database.ledgerTime(HOUR_MS);
  for (let lot = 0; lot < 40; lot += 1)
    await Promise.all(
      users.map((user) => grant(app, user, { amount: 7, source: 'EVENT', expiresAt })),
    );
  await database.moveClock(2 * HOUR_MS);
  const { runMaintenance } = await compiled<typeof Maintenance>(
    'services/maintenance/run-maintenance.js',
  );
  expect(await runMaintenance(app, 'EXPIRE_CREDITS')).toMatchObject({
    processed: users.length * 40,
    changed: users.length * 40,
  });
  await expectSoundLedger(database);
  await app.close(1000);
  await database.drop();
});
