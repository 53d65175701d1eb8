import type pg from 'pg';
import { StartError } from '../start-error.js';
import { quoted } from './reach.js';

/** https://www.postgresql.org/support/versioning/ */
const POSTGRES_LEAST = 15;

interface ServerRow {
  readonly version: string;
  readonly version_number: number;
  readonly database: string;
  readonly role: string;
  readonly encoding: string;
  readonly standby: boolean;
  readonly read_only: boolean;
  readonly replication_role: string;
}

const SERVER = `
  SELECT current_setting('server_version') AS version,
         current_setting('server_version_num')::int AS version_number,
         current_database() AS database, current_user AS role,
         current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS standby,
         current_setting('transaction_read_only') = 'on' AS read_only,
         current_setting('session_replication_role') AS replication_role`;

/**
 * Checks that the server is one that Talebank can work with.
 * @throws StartError
 */
export async function requireServer(client: pg.Client): Promise<void> {
  const { rows } = await client.query<ServerRow>(SERVER);
  const [server] = rows;
  if (server === undefined) throw new StartError('DATABASE_URL: the server does not answer.');
  const wrong = wrongWith(server);
  if (wrong !== null) throw new StartError(`DATABASE_URL: ${wrong}.`);
}

function wrongWith(server: ServerRow): string | null {
  const { version, version_number: number, database, role, encoding } = server;
  if (number < POSTGRES_LEAST * 10_000)
    return `the server is Postgres ${version}, but must be ${String(POSTGRES_LEAST)} or later`;
  if (encoding !== 'UTF8')
    return `the database ${quoted(database)} has the encoding ${encoding}, but must have UTF8: create another one with ENCODING 'UTF8' TEMPLATE template0`;
  if (server.standby)
    return 'the server is a standby or in recovery, which takes no writes: name the primary, or promote this one';
  if (server.read_only)
    return `sessions of the role ${quoted(role)} in the database ${quoted(database)} are read-only (default_transaction_read_only is on), but must be able to write: set it to off`;
  if (server.replication_role !== 'origin')
    return `session_replication_role is ${server.replication_role}, which switches the checks of the ledger off: it must be origin`;
  return null;
}

interface RightsRow {
  readonly database: string;
  readonly role: string;
  readonly schema_exists: boolean;
  readonly uses_schema: boolean;
  readonly creates_in_schema: boolean;
  readonly creates_schemas: boolean;
  readonly queue_schema_exists: boolean;
  readonly uses_queue_schema: boolean;
  readonly creates_in_queue_schema: boolean;
  readonly queue_installed: boolean;
  readonly audit_schema_exists: boolean;
  readonly creates_in_audit_schema: boolean;
}

/** Names are looked up in the catalog, because to_regclass fails where a schema may not be used. */
const RIGHTS = `
  SELECT current_database() AS database, current_user AS role, s.oid IS NOT NULL AS schema_exists,
    coalesce(has_schema_privilege(s.oid, 'USAGE'), false) AS uses_schema,
    coalesce(has_schema_privilege(s.oid, 'CREATE'), false) AS creates_in_schema,
    has_database_privilege(current_database(), 'CREATE') AS creates_schemas,
    q.oid IS NOT NULL AS queue_schema_exists,
    coalesce(has_schema_privilege(q.oid, 'USAGE'), false) AS uses_queue_schema,
    coalesce(has_schema_privilege(q.oid, 'CREATE'), false) AS creates_in_queue_schema,
    EXISTS (SELECT FROM pg_class WHERE relnamespace = q.oid AND relname = 'version') AS queue_installed,
    v.oid IS NOT NULL AS audit_schema_exists,
    coalesce(has_schema_privilege(v.oid, 'USAGE') AND has_schema_privilege(v.oid, 'CREATE'), false)
      AS creates_in_audit_schema
  FROM (SELECT) one
  LEFT JOIN pg_namespace s ON s.nspname = 'public'
  LEFT JOIN pg_namespace v ON v.nspname = 'audit'
  LEFT JOIN pg_namespace q ON q.nspname = 'pgboss'`;

/**
 * Checks, before anything is changed, that the role may do all that the start will do.
 * @param migrates whether there are migrations to apply
 * @throws StartError that names the right and how it is granted
 */
export async function requireRights(client: pg.Client, migrates: boolean): Promise<void> {
  const { rows } = await client.query<RightsRow>(RIGHTS);
  const [rights] = rows;
  if (rights === undefined) return;
  const { database, role } = rights;
  if (!rights.schema_exists)
    throw new StartError(
      `DATABASE_URL: the database ${quoted(database)} has no schema public, where the tables are: run CREATE SCHEMA public.`,
    );
  const missing = missingRight(rights, migrates);
  if (missing === null) return;
  const grantee = client.escapeIdentifier(role);
  const object = missing.on === 'DATABASE' ? client.escapeIdentifier(database) : missing.name;
  throw new StartError(
    `DATABASE_URL: the role ${quoted(role)} has no right ${missing.right} on the ${missing.on.toLowerCase()} ${quoted(missing.on === 'DATABASE' ? database : missing.name)}, which ${missing.why}: run GRANT ${missing.right} ON ${missing.on} ${object} TO ${grantee} as its owner. Nothing was changed.`,
  );
}

interface MissingRight {
  readonly right: 'USAGE' | 'CREATE' | 'USAGE, CREATE';
  readonly on: 'SCHEMA' | 'DATABASE';
  readonly name: string;
  readonly why: string;
}

function missingRight(rights: RightsRow, migrates: boolean): MissingRight | null {
  if (!rights.uses_schema)
    return { right: 'USAGE', on: 'SCHEMA', name: 'public', why: 'holds the tables' };
  if (migrates && !rights.creates_in_schema)
    return { right: 'CREATE', on: 'SCHEMA', name: 'public', why: 'migrations need' };
  return missingForQueue(rights) ?? (migrates ? missingForAudit(rights) : null);
}

function missingForQueue(rights: RightsRow): MissingRight | null {
  if (!rights.queue_schema_exists)
    return missingForSchema(rights, 'the schema pgboss of the queue needs');
  const creates = rights.queue_installed || rights.creates_in_queue_schema;
  return rights.uses_queue_schema && creates
    ? null
    : { right: 'USAGE, CREATE', on: 'SCHEMA', name: 'pgboss', why: 'the queue needs' };
}

function missingForAudit(rights: RightsRow): MissingRight | null {
  if (!rights.audit_schema_exists)
    return missingForSchema(rights, 'the schema audit of the views for auditors needs');
  return rights.creates_in_audit_schema
    ? null
    : { right: 'USAGE, CREATE', on: 'SCHEMA', name: 'audit', why: 'the views for auditors need' };
}

const missingForSchema = (rights: RightsRow, why: string): MissingRight | null =>
  rights.creates_schemas ? null : { right: 'CREATE', on: 'DATABASE', name: '', why };

interface RoomRow {
  readonly role: string;
  readonly most: number;
  readonly superuser: boolean;
}

/** What the server, the database and the role let this role open; reserved_connections is there since Postgres 16. */
const ROOM = `
  SELECT current_user AS role, rolsuper AS superuser, least(
    current_setting('max_connections')::int
      - CASE WHEN rolsuper THEN 0 ELSE current_setting('superuser_reserved_connections')::int
          + coalesce(current_setting('reserved_connections', true)::int, 0) END,
    CASE WHEN rolsuper OR datconnlimit < 0 THEN NULL ELSE datconnlimit END,
    CASE WHEN rolsuper OR rolconnlimit < 0 THEN NULL ELSE rolconnlimit END) AS most
  FROM pg_roles, pg_database WHERE rolname = current_user AND datname = current_database()`;

/** The least that DATABASE_POOL_SIZE may be. */
const POOL_LEAST = 2;

/**
 * Checks that this process can have all of its connections. Those of other processes are not known.
 * @param besides connections that the process needs besides its pool
 * @throws StartError that names DATABASE_POOL_SIZE
 */
export async function requireConnections(
  client: pg.Client,
  { poolSize, besides }: { readonly poolSize: number; readonly besides: number },
): Promise<void> {
  const { rows } = await client.query<RoomRow>(ROOM);
  const [room] = rows;
  if (room === undefined || poolSize + besides <= room.most) return;
  const poolMost = room.most - besides;
  const allowed =
    poolMost < POOL_LEAST
      ? `raise max_connections of the server, or the connection limit of the role or the database, to at least ${String(POOL_LEAST + besides)}`
      : `it must be ${String(POOL_LEAST)} to ${String(poolMost)}, less what other processes use, or max_connections of the server must be raised`;
  throw new StartError(
    `DATABASE_POOL_SIZE is ${String(poolSize)}, but the server lets the role ${quoted(room.role)} have ${String(room.most)} connections, of which this process needs ${String(besides)} besides the pool: ${allowed}.`,
  );
}
