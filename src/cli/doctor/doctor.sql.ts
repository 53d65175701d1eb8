import type pg from 'pg';

export interface ServerFacts {
  readonly version: string;
  readonly database: string;
  readonly role: string;
  /** Sessions of all programs, and how many the server allows. */
  readonly sessions: number;
  readonly sessionsMax: number;
  /** In bytes. */
  readonly size: number;
}

/** Facts about the server and the database. No locks. */
export async function readServer(client: pg.Client): Promise<ServerFacts> {
  const { rows } = await client.query<ServerFacts>(`
    SELECT current_setting('server_version') AS version, current_database() AS database, current_user AS role,
      (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS sessions,
      current_setting('max_connections')::int AS "sessionsMax",
      pg_database_size(current_database())::float8 AS size`);
  if (rows[0] === undefined) throw new Error('The database does not answer.');
  return rows[0];
}

/** The clock of the database in milliseconds since 1970. */
export async function readClock(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ ms: number }>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms',
  );
  return rows[0]?.ms ?? NaN;
}

/** How far the ledger's clock is ahead of the database's, in milliseconds. */
export async function readLedgerAheadMs(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ ms: number }>(
    'SELECT (extract(epoch FROM public.ledger_now() - clock_timestamp()) * 1000)::float8 AS ms',
  );
  return rows[0]?.ms ?? NaN;
}

/** Tables of the ledger that this role does not own, and whose triggers and columns it cannot migrate. */
export async function readForeignTables(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(`
    SELECT relname AS name FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
      AND NOT pg_has_role(current_user, relowner, 'USAGE') ORDER BY relname LIMIT 5`);
  return rows.map(({ name }) => name);
}

export interface TaskRow {
  readonly name: string;
  /** Seconds since its last success. Null when none is known. */
  readonly succeededAgo: number | null;
  /** Whether its last ended run failed. */
  readonly failed: boolean;
}

/** The last runs of tasks, as far as pg-boss still has their jobs. Indexes: pg-boss' own, by name. */
export async function readTaskRuns(
  client: pg.Client,
  queues: readonly string[],
): Promise<TaskRow[]> {
  const { rows } = await client.query<TaskRow>(
    `SELECT q.name,
       extract(epoch FROM now() - max(j.completed_on) FILTER (WHERE j.state = 'completed'))::float8 AS "succeededAgo",
       coalesce((array_agg(j.state::text ORDER BY j.completed_on DESC)
         FILTER (WHERE j.completed_on IS NOT NULL))[1] = 'failed', false) AS failed
     FROM unnest($1::text[]) WITH ORDINALITY AS q(name, place)
     LEFT JOIN pgboss.job j ON j.name = q.name
     GROUP BY q.name, q.place ORDER BY q.place`,
    [queues],
  );
  return rows;
}
