import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import pg from 'pg';
import type { OpenApp } from '../../src/open-app.js';
import type { UserId } from '../../src/domain/ids.js';
import type * as Attempts from '../../src/services/narrations/settle-attempt.js';
import type * as Maintenance from '../../src/services/maintenance/run-maintenance.js';
import { makeAccounts, openTestApp } from '../support/app.js';
import { createDatabase, MID_MONTH, type TestDatabase } from '../support/cluster.js';
import { grant, outcome } from '../support/commands.js';
import { compiled } from '../support/compiled.js';
import { expectSoundLedger } from '../support/invariants.js';
import { expectBelow, timeOf } from '../support/measure.js';

/**
 * Sessions of others hold rows and keys that some requests of a batch need, whatever these are: the other requests are
 * answered at once, and those are answered when their rows are free, or BUSY.
 */
const DAY_MS = 86_400_000;
/** How long Postgres waits for a lock. */
const LOCK_WAIT_MS = 5_000;

let database: TestDatabase;
let app: OpenApp;
let failNarration: typeof Attempts.failNarration;
let runMaintenance: typeof Maintenance.runMaintenance;

beforeAll(async () => {
  database = await createDatabase({ clockAt: MID_MONTH });
  app = await openTestApp(database, { MONTHLY_CREDITS: '5' });
  ({ failNarration } = await compiled<typeof Attempts>('services/narrations/settle-attempt.js'));
  ({ runMaintenance } = await compiled<typeof Maintenance>(
    'services/maintenance/run-maintenance.js',
  ));
});
afterEach(() => expectSoundLedger(database));
afterAll(async () => {
  await app.close(1000);
  await database.drop();
});

interface Asked {
  readonly userId: UserId;
  readonly storyId: string;
  readonly key: string;
}

const narrate = ({ userId, storyId, key }: Asked): ReturnType<OpenApp['ledger']['narrate']> =>
  app.ledger.narrate({
    userId,
    storyId,
    textHash: 'text',
    voiceId: 'voice',
    price: 1,
    maxCredits: null,
    reason: 'A test',
    idempotencyKey: key,
    requestHash: new Uint8Array(32),
  });

/** Runs statements in a transaction of another session, which holds what they lock until it is let go. */
async function hold(sql: string, values: unknown[]): Promise<() => Promise<void>> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query('BEGIN');
  await client.query(sql, values);
  return async () => {
    await client.query('ROLLBACK');
    await client.end();
  };
}

/** People with points, each with a narration that failed. */
async function makeAsked(count: number): Promise<Asked[]> {
  const users = await makeAccounts(database, count, { monthlyCredits: 0 });
  return Promise.all(
    users.map(async (userId) => {
      await grant(app, userId, { amount: 10 });
      const asked = { userId, storyId: randomUUID(), key: randomUUID() };
      const { audioId } = await narrate({ ...asked, key: randomUUID() });
      await failNarration(
        app,
        { userId, audioId, attempt: 1 },
        { reason: 'A test', code: 'INTERNAL' },
        null,
      );
      return asked;
    }),
  );
}

const idsOf = (asked: readonly Asked[]): UserId[] => asked.map(({ userId }) => userId);

type Held = (asked: readonly Asked[]) => [sql: string, values: unknown[]];

const KINDS: Readonly<Record<string, { held: Held; isNew?: true }>> = {
  'narrations that are asked for again': {
    held: (asked) => ['SELECT FROM audios WHERE user_id = ANY($1) FOR UPDATE', [idsOf(asked)]],
  },
  'keys of requests': {
    held: (asked) => [
      `INSERT INTO audio_requests (user_id, idempotency_key, request_hash, audio_id, created_at)
       SELECT u, k, decode(repeat('00', 32), 'hex'), gen_random_uuid(), now()
       FROM unnest($1::uuid[], $2::text[]) r(u, k)`,
      [idsOf(asked), asked.map(({ key }) => key)],
    ],
  },
  lots: {
    held: (asked) => ['SELECT FROM credit_lots WHERE user_id = ANY($1) FOR UPDATE', [idsOf(asked)]],
  },
  'people who ask for a new narration': {
    held: (asked) => ['SELECT FROM users WHERE id = ANY($1) FOR UPDATE', [idsOf(asked)]],
    isNew: true,
  },
  accounts: {
    held: (asked) => [
      'SELECT FROM credit_accounts WHERE user_id = ANY($1) FOR UPDATE',
      [idsOf(asked)],
    ],
  },
  'narrations that another session writes': {
    held: (asked) => [
      `INSERT INTO audios (user_id, id, story_id, voice_id, text_hash, status, attempt, job_id, debit_seq,
         created_at, updated_at)
       SELECT u, gen_random_uuid(), s, 'voice', 'text', 'CANCELLED', 1, gen_random_uuid(), 1, now(), now()
       FROM unnest($1::uuid[], $2::uuid[]) r(u, s)`,
      [idsOf(asked), asked.map(({ storyId }) => storyId)],
    ],
    isNew: true,
  },
};

test.each(Object.entries(KINDS))(
  '%s that another session holds delay no other request of the batch',
  async (_what, { held, isNew }) => {
    await expectBelow(LOCK_WAIT_MS, async () => {
      const made = await makeAsked(6);
      const everyone = made.map((one) => (isNew ? { ...one, storyId: randomUUID() } : one));
      const owners = everyone.slice(0, 2);
      const release = await hold(...held(owners));
      const startedAt = performance.now();
      // Asked for in one breath, they are one batch.
      const asked = everyone.map((one) => outcome(narrate(one)));
      const othersMs = await timeOf(() => Promise.all(asked.slice(2))).finally(release);
      const heldMs = performance.now() - startedAt;
      for (const [index, answer] of (await Promise.all(asked)).entries())
        // What was held for too long may be BUSY.
        if (index >= 2 || heldMs < LOCK_WAIT_MS)
          expect(answer).toMatchObject({ begun: true, balance: 9 });
      return othersMs;
    });
  },
);

test('what is held for long is BUSY after some eight seconds, and the same request succeeds afterwards', async () => {
  const kinds = ['narrations that are asked for again', 'keys of requests'];
  const everyone = await Promise.all(kinds.map(() => makeAsked(1)));
  const [withoutAllowance] = await makeAccounts(database, 20);
  const releases = await Promise.all([
    ...everyone.map((asked, index) =>
      hold(...(KINDS[kinds[index] ?? '']?.held(asked) ?? ['SELECT', []])),
    ),
    hold('SELECT FROM credit_accounts WHERE user_id = $1 FOR UPDATE', [withoutAllowance]),
  ]);
  try {
    const allowances = runMaintenance(app, 'GRANT_MONTHLY_CREDITS');
    await expectBelow(12_000, async () => {
      const startedAt = performance.now();
      const refused = everyone.flat().map((asked) => outcome(narrate(asked)));
      expect(await Promise.all(refused)).toEqual(['BUSY', 'BUSY']);
      const tookMs = performance.now() - startedAt;
      expect(tookMs).toBeGreaterThan(7000);
      return tookMs;
    });
    expect((await allowances).changed).toBe(19);
  } finally {
    for (const release of releases) await release();
  }
  for (const asked of everyone.flat())
    expect(await narrate(asked)).toMatchObject({ begun: true, balance: 9 });
  expect((await runMaintenance(app, 'GRANT_MONTHLY_CREDITS')).changed).toBe(1);
});

test('the sweep reaches every lot that no other session holds, and leaves those to the next one', async () => {
  let days = 0;
  await expectBelow(LOCK_WAIT_MS, async () => {
    const users = await makeAccounts(database, 20, { monthlyCredits: 0 });
    const [held] = users;
    const expiresAt = database.ledgerTime(DAY_MS);
    await Promise.all(
      users.map((userId) => grant(app, userId, { amount: 3, source: 'EVENT', expiresAt })),
    );
    await database.moveClock((days += 2) * DAY_MS);
    const release = await hold('SELECT FROM credit_lots WHERE user_id = $1 FOR UPDATE', [held]);
    const sweep = async (): Promise<void> => {
      expect((await runMaintenance(app, 'EXPIRE_CREDITS')).changed).toBe(19);
    };
    const tookMs = await timeOf(sweep).finally(release);
    expect((await runMaintenance(app, 'EXPIRE_CREDITS')).changed).toBe(1);
    return tookMs;
  });
});
