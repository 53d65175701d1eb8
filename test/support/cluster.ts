import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';

const TEMPLATE = new URL(process.env['TALEBANK_TEST_TEMPLATE'] ?? 'postgresql://missing');

/** The address of a database of the tests' cluster. */
function withDatabase(name: string): string {
  const url = new URL(TEMPLATE);
  url.pathname = `/${name}`;
  return url.href;
}

export interface TestDatabase {
  readonly url: string;
  /** Runs SQL as an operator would. */
  sql<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  /** Moves the ledger's clock, from now on, by so many milliseconds. */
  moveClock(byMs: number): Promise<void>;
  /** Takes the database away: nobody gets in, and whoever is in is thrown out. Or gives it back. */
  setReachable(reachable: boolean): Promise<void>;
  drop(): Promise<void>;
}

async function asAdministrator(work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: withDatabase('postgres') });
  await client.connect();
  await work(client).finally(() => client.end());
}

/** What an operator can do with a database, wherever it is. */
export function operate(url: string): Pick<TestDatabase, 'url' | 'sql' | 'moveClock'> & {
  readonly close: () => Promise<void>;
} {
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  pool.on('error', () => undefined);
  return {
    url,
    sql: async (text, values) => (await pool.query(text, values)).rows as never,
    moveClock: async (byMs) => {
      await pool.query(`
        CREATE OR REPLACE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
          SELECT date_trunc('milliseconds', clock_timestamp()) + interval '${String(byMs)} milliseconds'
        $$`);
    },
    close: () => pool.end(),
  };
}

/** A migrated, empty database of its own. */
export async function createDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await asAdministrator(async (client) => {
    for (let tries = 1; ; tries += 1) {
      try {
        return await client.query(`CREATE DATABASE ${name} TEMPLATE ${TEMPLATE.pathname.slice(1)}`);
      } catch (error) {
        // Another test file is copying the template at this moment.
        if ((error as { code?: string }).code !== '55006' || tries === 50) throw error;
        await sleep(100);
      }
    }
  });
  const { close, ...operator } = operate(withDatabase(name));
  return {
    ...operator,
    setReachable: (reachable) =>
      asAdministrator(async (client) => {
        await client.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS ${String(reachable)}`);
        await client.query(
          'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1',
          [name],
        );
      }),
    drop: async () => {
      await close();
      await asAdministrator((client) =>
        client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
      );
    },
  };
}
