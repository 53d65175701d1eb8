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

/** Far from the ends of its day, month and year: what lasts some days ends in the same month. */
export const MID_MONTH = '2031-05-14T09:00:00.000Z';

export interface TestDatabase {
  readonly url: string;
  /** Runs SQL as an operator would. */
  sql<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>;
  /** Starts the ledger's clock at an instant. It goes on from there at the pace of the machine's clock. */
  startClock(at: string): Promise<void>;
  /** Moves the ledger's clock, from now on, by so many milliseconds from where it would be had it never been moved. */
  moveClock(byMs: number): Promise<void>;
  /** How far the ledger's clock was ahead of where it is now, before a test set it back; 0 when none did. */
  setBackMs(): number;
  /** The instant that is so many milliseconds ahead of the ledger's clock. */
  ledgerTime(aheadMs?: number): Date;
  /** Refuses new connections and ends the open ones, or admits connections again. */
  setReachable(reachable: boolean): Promise<void>;
  drop(): Promise<void>;
}

async function asAdministrator(work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: withDatabase('postgres') });
  await client.connect();
  await work(client).finally(() => client.end());
}

/** A session ends a moment after it was told to, and a pool would give it out until then. */
async function untilGone(client: pg.Client, pids: readonly number[]): Promise<void> {
  for (;;) {
    const query = 'SELECT FROM pg_stat_activity WHERE pid = ANY($1)';
    if ((await client.query(query, [pids])).rows.length === 0) return;
    await sleep(10);
  }
}

/** What an operator can do with a database, wherever it is. */
export function operate(url: string): Omit<TestDatabase, 'setReachable' | 'drop'> & {
  readonly close: () => Promise<void>;
} {
  // Idle connections are kept, because a new one would have the settings that a test has given the database meanwhile.
  const pool = new pg.Pool({ connectionString: url, max: 4, idleTimeoutMillis: 0 });
  pool.on('error', () => undefined);
  let startedAheadMs = 0;
  let movedMs = 0;
  let furthestAheadMs = -Infinity;
  const setClock = async (): Promise<void> => {
    await pool.query(`
      CREATE OR REPLACE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
        SELECT date_trunc('milliseconds', clock_timestamp())
          + interval '${String(startedAheadMs + movedMs)} milliseconds'
      $$`);
  };
  return {
    url,
    sql: async (text, values) => (await pool.query(text, values)).rows as never,
    startClock: (at) => {
      [startedAheadMs, movedMs] = [Date.parse(at) - Date.now(), 0];
      furthestAheadMs = Math.max(furthestAheadMs, startedAheadMs);
      return setClock();
    },
    moveClock: (byMs) => {
      furthestAheadMs = Math.max(furthestAheadMs, startedAheadMs + Math.max(movedMs, byMs));
      movedMs = byMs;
      return setClock();
    },
    setBackMs: () => Math.max(0, furthestAheadMs - startedAheadMs - movedMs),
    ledgerTime: (aheadMs = 0) => new Date(Date.now() + startedAheadMs + movedMs + aheadMs),
    close: () => pool.end(),
  };
}

/**
 * A migrated, empty database of its own.
 * @param clockAt the instant at which the ledger's clock starts; without it, the ledger has the machine's time
 * @param locale as CREATE DATABASE has it; then it is not migrated, because the template has the cluster's locale
 */
export async function createDatabase({
  clockAt,
  locale,
}: { clockAt?: string | undefined; locale?: string } = {}): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const template = locale === undefined ? TEMPLATE.pathname.slice(1) : `template0 ${locale}`;
  await asAdministrator(async (client) => {
    for (let tries = 1; ; tries += 1) {
      try {
        // The files are copied as they are, which takes half as long as writing them to the log.
        return await client.query(
          `CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY`,
        );
      } catch (error) {
        // Another test file is copying the template at this moment.
        if ((error as { code?: string }).code !== '55006' || tries === 50) throw error;
        await sleep(100);
      }
    }
  });
  const { close, ...operator } = operate(withDatabase(name));
  if (clockAt !== undefined) await operator.startClock(clockAt);
  return {
    ...operator,
    setReachable: (reachable) =>
      asAdministrator(async (client) => {
        await client.query(`ALTER DATABASE ${name} ALLOW_CONNECTIONS ${String(reachable)}`);
        const ended = await client.query<{ pid: number }>(
          'SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1',
          [name],
        );
        await untilGone(
          client,
          ended.rows.map(({ pid }) => pid),
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
