import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { until } from '../support/faults.js';
import { startTalebank, type ServerProcess, type Talebank } from '../support/talebank.js';

/** A role of its own, whose connections can be limited. */
const role = `limited_${randomBytes(6).toString('hex')}`;
let talebank: Talebank;
let server: ServerProcess;

beforeAll(async () => {
  talebank = await startTalebank();
  const { database } = talebank;
  const sql = (text: string): Promise<unknown> => database.sql(text);
  await sql(
    `CREATE ROLE ${role} LOGIN PASSWORD 'limited' IN ROLE pg_read_all_data, pg_write_all_data`,
  );
  await sql(`GRANT ALL ON SCHEMA public, pgboss TO ${role}`);
  await sql(`GRANT ALL ON ALL TABLES IN SCHEMA public, pgboss TO ${role}`);
  const address = new URL(database.url);
  address.username = role;
  address.password = 'limited';
  server = await talebank.join({ ROLE: 'api', DATABASE_URL: address.href });
});
afterAll(async () => {
  await server.stop();
  await talebank.database.sql(`DROP OWNED BY ${role}`);
  await talebank.database.sql(`DROP ROLE ${role}`);
  await talebank.close();
});

const readiness = async (): Promise<[number, unknown]> => {
  const answer = await fetch(`${server.url}/readyz`);
  return [answer.status, await answer.json()];
};

test('a server whose database gives no more connections is not ready, although it has some', async () => {
  const { database } = talebank;
  await until('it is ready', async () => (await readiness())[0] === 200);
  const own = `SELECT count(*)::int AS count FROM pg_stat_activity WHERE usename = '${role}'`;
  const [before] = await database.sql<{ count: number }>(own);
  expect(before?.count).toBeGreaterThan(0);
  // As when others have taken every slot: what is open stays open.
  await database.sql(`ALTER ROLE ${role} CONNECTION LIMIT 0`);
  // Another part may be late on a loaded machine, so a 503 alone does not mean the database.
  let last = await readiness();
  await until('it says so', async () => {
    last = await readiness();
    return (last[1] as { database?: boolean }).database === false;
  });
  expect(last).toMatchObject([503, { status: 'not ready', database: false }]);
  await database.sql(`ALTER ROLE ${role} CONNECTION LIMIT -1`);
  await until('it is ready again', async () => (await readiness())[0] === 200);
});

test('asking often costs the database one connection a second', async () => {
  const opened = async (): Promise<number> => {
    const [row] = await talebank.database.sql<{ sessions: number }>(
      'SELECT sessions::int FROM pg_stat_database WHERE datname = current_database()',
    );
    return row?.sessions ?? 0;
  };
  const before = await opened();
  const startedAt = Date.now();
  for (let round = 0; round < 10; round += 1)
    await Promise.all(Array.from({ length: 20 }, () => readiness()));
  const seconds = (Date.now() - startedAt) / 1000;
  // Sessions are counted a moment after they end; pools may open some of their own meanwhile.
  expect((await opened()) - before).toBeLessThan(seconds + 20);
});
