import type { TestDatabase } from './cluster.js';

type Database = Pick<TestDatabase, 'sql'>;

/** The number of partitions of a table, each in the place of the shards of one server. */
export const PARTITIONS = 16;

const TABLES = `
  SELECT c.relname AS name FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0] AND a.attname = 'user_id'
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY c.relname`;

const KEYS = `
  SELECT k.conname AS name, c.relname AS "table", pg_get_constraintdef(k.oid) AS definition
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
  WHERE k.contype = 'f' AND (c.relname = ANY($1) OR t.relname = ANY($1))`;

const TRIGGERS = `
  SELECT pg_get_triggerdef(g.oid) AS definition FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
  WHERE NOT g.tgisinternal AND c.relname = ANY($1)`;

/**
 * Partitions every table of users by the hash of the user's id. A partitioned table has the same rule as a distributed
 * one: its unique indexes must have the user's id. A statement that names its users reads only their partitions.
 * The tables must be empty.
 * @returns the names of the tables
 */
export async function partitionByUser(database: Database): Promise<readonly string[]> {
  const tables = (await database.sql<{ name: string }>(TABLES)).map(({ name }) => name);
  const keys = await database.sql<{ name: string; table: string; definition: string }>(KEYS, [
    tables,
  ]);
  const triggers = await database.sql<{ definition: string }>(TRIGGERS, [tables]);
  const places = Array.from({ length: PARTITIONS }, (_, place) => place);
  const statements = [
    ...keys.map(({ name, table }) => `ALTER TABLE ${table} DROP CONSTRAINT "${name}"`),
    ...tables.flatMap((table) => [
      `ALTER TABLE ${table} RENAME TO ${table}_before`,
      `CREATE TABLE ${table} (LIKE ${table}_before INCLUDING ALL) PARTITION BY HASH (user_id)`,
      `DROP TABLE ${table}_before CASCADE`,
      ...places.map(
        (place) =>
          `CREATE TABLE ${table}_p${String(place)} PARTITION OF ${table}
           FOR VALUES WITH (MODULUS ${String(PARTITIONS)}, REMAINDER ${String(place)})`,
      ),
    ]),
    ...keys.map(
      ({ name, table, definition }) =>
        `ALTER TABLE ${table} ADD CONSTRAINT "${name}" ${definition}`,
    ),
    ...triggers.map(({ definition }) => definition),
  ];
  await database.sql(statements.join(';\n'));
  return tables;
}

/** The partition of each account. */
export async function placesOf(database: Database): Promise<ReadonlyMap<string, number>> {
  const rows = await database.sql<{ user_id: string; name: string }>(
    'SELECT user_id, tableoid::regclass::text AS name FROM credit_accounts',
  );
  return new Map(rows.map(({ user_id: id, name }) => [id, Number(name.split('_p').at(-1))]));
}

/** The size of the test's own pool. While each session sleeps, none can do it twice. */
const SESSIONS = 4;

/** How often each partition was scanned by sessions that have ended. */
export async function scansOf(database: Database): Promise<ReadonlyMap<string, number>> {
  // All sessions of the test's own pool tell what they have counted, which they do within some seconds by themselves.
  await Promise.all(
    Array.from({ length: SESSIONS }, () =>
      database.sql('SELECT pg_stat_force_next_flush(), pg_sleep(0.2)'),
    ),
  );
  const rows = await database.sql<{ name: string; scans: number }>(
    `SELECT relname AS name, (coalesce(seq_scan, 0) + coalesce(idx_scan, 0))::int AS scans
     FROM pg_stat_user_tables WHERE relname ~ '_p[0-9]+$'`,
  );
  return new Map(rows.map(({ name, scans }) => [name, scans]));
}
