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

/** How long ago the first migration of this database was applied, in seconds. Infinity if none is known. */
export async function readInstalledSecondsAgo(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ seconds: number | null }>(
    `SELECT extract(epoch FROM clock_timestamp() - min(finished_at))::float8 AS seconds
     FROM public._prisma_migrations`,
  );
  return rows[0]?.seconds ?? Infinity;
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
