import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import type { OpenApp } from '../../src/open-app.js';
import type * as Maintenance from '../../src/services/maintenance/run-maintenance.js';
import type * as StoriesSql from '../../src/services/stories/stories.sql.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, MID_MONTH, type TestDatabase } from '../support/cluster.js';
import { compiled } from '../support/compiled.js';

/** What would grow for ever is deleted by rule, and what is promised for ever stays. */
let database: TestDatabase;
let app: OpenApp;
let prune: () => Promise<unknown>;
let keepText: typeof StoriesSql.keepText;

beforeAll(async () => {
  database = await createDatabase({ clockAt: MID_MONTH });
  app = await openTestApp(database);
  const { runMaintenance } = await compiled<typeof Maintenance>(
    'services/maintenance/run-maintenance.js',
  );
  prune = () => runMaintenance(app, 'PRUNE_SESSIONS');
  ({ keepText } = await compiled<typeof StoriesSql>('services/stories/stories.sql.js'));
});
beforeEach(() => database.sql('DELETE FROM reconciliations'));
afterAll(async () => {
  await app.close(1000);
  await database.drop();
});

let texts = 0;

/** @returns its hash */
async function giveText(): Promise<{ hash: string; content: string; characterCount: number }> {
  texts += 1;
  const content = `Text ${String(texts)}`;
  const hash = createHash('sha256').update(content).digest('hex');
  const text = { hash, content, characterCount: content.length };
  await app.db.$transaction((tx) => keepText(tx as never, text));
  return text;
}

const makeLongUnused = (hashes: readonly string[]): Promise<unknown> =>
  database.sql(
    `UPDATE story_texts SET unused_since = now() - interval '31 days' WHERE hash = ANY($1)`,
    [hashes],
  );

const left = async (hashes: readonly string[]): Promise<string[]> =>
  (
    await database.sql<{ hash: string }>(
      'SELECT hash FROM story_texts WHERE hash = ANY($1) ORDER BY array_position($1, hash)',
      [hashes],
    )
  ).map(({ hash }) => hash);

test('a text that neither a story nor a narration has is deleted after thirty days', async () => {
  const [userId] = await makeAccounts(database, 1);
  const ofStory = (await giveText()).hash;
  const ofNarration = (await giveText()).hash;
  const ofNobody = (await giveText()).hash;
  const all = [ofStory, ofNarration, ofNobody];
  await database.sql(
    `INSERT INTO stories (id, slug, title, author, language, text_hash)
     VALUES (gen_random_uuid(), 'kept', 'T', 'A', 'en', $1)`,
    [ofStory],
  );
  await database.sql(
    `INSERT INTO audios (user_id, id, story_id, voice_id, text_hash, status, attempt, job_id, debit_seq, created_at, updated_at)
     VALUES ($1, gen_random_uuid(), gen_random_uuid(), 'v', $2, 'CANCELLED', 1, gen_random_uuid(), 1, now(), now())`,
    [userId, ofNarration],
  );
  await prune();
  expect(await left(all)).toEqual(all);
  const marked = await database.sql(
    'SELECT hash FROM story_texts WHERE hash = ANY($1) AND unused_since IS NOT NULL',
    [all],
  );
  expect(marked).toEqual([{ hash: ofNobody }]);
  await makeLongUnused(all);
  await prune();
  expect(await left(all)).toEqual([ofStory, ofNarration]);
});

test('a text that is written again stays, also while its writer has not committed', async () => {
  const again = await giveText();
  const meanwhile = await giveText();
  const hashes = [again.hash, meanwhile.hash];
  await makeLongUnused(hashes);
  await app.db.$transaction((tx) => keepText(tx as never, again));
  await app.db.$transaction(async (tx) => {
    await keepText(tx as never, meanwhile);
    await prune();
  });
  await prune();
  expect(await left(hashes)).toEqual(hashes);
});

test('checks of the ledger that found nothing go after ninety days, others after two years, the newest never', async () => {
  const give = (daysAgo: number, violations: number): Promise<unknown> =>
    database.sql(
      `INSERT INTO reconciliations (id, checked_at, accounts, transactions, checks)
       VALUES (gen_random_uuid(), ledger_now() - $1 * interval '1 day', $1, 0, $2)`,
      [daysAgo, JSON.stringify([{ violations: 0 }, { violations }])],
    );
  const daysLeft = async (): Promise<number[]> =>
    (
      await database.sql<{ accounts: number }>('SELECT accounts FROM reconciliations ORDER BY 1')
    ).map(({ accounts }) => accounts);
  await give(91, 0);
  await prune();
  expect(await daysLeft()).toEqual([91]);
  for (const [daysAgo, violations] of [
    [89, 0],
    [92, 3],
    [700, 0],
    [700, 1],
    [740, 1],
  ] as const)
    await give(daysAgo, violations);
  await prune();
  expect(await daysLeft()).toEqual([89, 92, 700]);
});
