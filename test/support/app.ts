import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type * as AppModule from '../../src/open-app.js';
import type * as ConfigModule from '../../src/config.js';
import { asUserId, type UserId } from '../../src/domain/ids.js';
import { newId } from '../../src/domain/ids.js';
import type { TestDatabase } from './cluster.js';
import { compiled } from './compiled.js';

/** The services of one process, opened inside of the test: with its own connections and batches. */
export async function openTestApp(
  database: Pick<TestDatabase, 'sql' | 'url'>,
  environment: Readonly<Record<string, string>> = {},
): Promise<AppModule.OpenApp> {
  const { readConfig } = await compiled<typeof ConfigModule>('config.js');
  const { openApp } = await compiled<typeof AppModule>('open-app.js');
  const folder = await mkdtemp(join(tmpdir(), 'talebank-app-'));
  const app = await openApp({
    config: readConfig({ DATA_DIR: folder, ROLE: 'api', ...environment }),
    log: pino({ level: 'silent' }),
    databaseUrl: database.url,
    publicUrl: () => 'http://test',
  });
  return {
    ...app,
    close: async (timeoutMs) => {
      await app.close(timeoutMs);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Verified people with accounts that hold nothing yet. */
export async function makeAccounts(
  database: Pick<TestDatabase, 'sql' | 'url'>,
  count: number,
  person: { monthlyCredits?: number | null } = {},
): Promise<UserId[]> {
  const ids = Array.from({ length: count }, () => asUserId(newId()));
  await database.sql(
    `WITH people AS (
      INSERT INTO users (id, email, password_hash, email_verified_at, monthly_credits)
      SELECT id, id || '@example.com', '', now(), $2 FROM unnest($1::uuid[]) id RETURNING id
    ) INSERT INTO credit_accounts (user_id) SELECT id FROM people`,
    [ids, person.monthlyCredits ?? null],
  );
  return ids;
}
