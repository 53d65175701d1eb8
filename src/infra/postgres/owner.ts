import pg from 'pg';
import { messageOf } from '../../domain/errors.js';
import { StartError } from '../start-error.js';
import { addressOf, type Door } from './door.js';

/** Has every right in the cluster. It only prepares it, at each start. */
export const SUPERUSER = 'postgres';
/** Owns the database and what is in it, and has no right outside of it. Everything else connects as this role. */
export const OWNER = 'talebank';
export const DATABASE = 'talebank';

const CONNECT_TIMEOUT_MS = 10_000;
const LOCK_TIMEOUT_MS = 10_000;

interface Passwords {
  readonly superuserPassword: string;
  readonly ownerPassword: string;
}

/**
 * Creates the role and the database, makes the role the owner of the database, and transfers the objects that the
 * superuser owns in it. In clusters of earlier releases those are all objects. Idempotent.
 * @returns how many objects changed their owner
 * @throws StartError
 */
export async function transferToOwner(door: Door, passwords: Passwords): Promise<number> {
  const { superuserPassword: password, ownerPassword } = passwords;
  try {
    await asSuperuser(door, { password, database: 'postgres' }, (client) =>
      prepareCluster(client, ownerPassword),
    );
    return await asSuperuser(door, { password, database: DATABASE }, transferObjects);
  } catch (error) {
    throw new StartError(
      `The embedded database cannot be prepared for the role ${OWNER}: ${messageOf(error)}`,
    );
  }
}

async function asSuperuser<Result>(
  door: Door,
  { password, database }: { password: string; database: string },
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  // Only pg_catalog is searched, because the owner may have made functions and operators with the names that are used here.
  const settings = { search_path: 'pg_catalog', lock_timeout: String(LOCK_TIMEOUT_MS) };
  const client = new pg.Client({
    connectionString: addressOf(door, { user: SUPERUSER, password, database }, settings),
    application_name: 'talebank-start',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  });
  // Without a listener, a connection that is lost between two queries would end the process. The next query rejects.
  client.on('error', () => undefined);
  await client.connect();
  return work(client).finally(() => client.end());
}

async function prepareCluster(client: pg.Client, ownerPassword: string): Promise<void> {
  const rights = `LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD ${client.escapeLiteral(ownerPassword)}`;
  const roles = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [OWNER]);
  await client.query(`${roles.rowCount === 0 ? 'CREATE' : 'ALTER'} ROLE ${OWNER} ${rights}`);
  const { rows } = await client.query<{ owner: string }>(
    'SELECT pg_get_userbyid(datdba) AS owner FROM pg_database WHERE datname = $1',
    [DATABASE],
  );
  const [database] = rows;
  if (database === undefined) await client.query(`CREATE DATABASE ${DATABASE} OWNER ${OWNER}`);
  else if (database.owner !== OWNER)
    await client.query(`ALTER DATABASE ${DATABASE} OWNER TO ${OWNER}`);
  await client.query(
    `REVOKE CONNECT, TEMPORARY ON DATABASE ${DATABASE}, postgres, template1 FROM PUBLIC`,
  );
}

/**
 * REASSIGN OWNED refuses the superuser that initdb made, because the system needs what it owns. So this finds the
 * objects that belong neither to the system nor to an extension. Indexes, row types and the sequences of columns follow their
 * tables.
 */
const OWNED_BY_SUPERUSER = `
  WITH ours AS (
    SELECT n.oid, n.nspname, n.nspowner FROM pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  ), fixed AS (
    SELECT classid, objid FROM pg_depend
    WHERE deptype = 'e' OR (classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
                            AND deptype IN ('a', 'i') AND refobjsubid > 0)
  ), owned AS (
    SELECT 'pg_namespace'::regclass AS classid, oid, 'SCHEMA' AS kind, format('%I', nspname) AS name
    FROM ours WHERE nspowner = current_user::regrole
    UNION ALL
    SELECT 'pg_class'::regclass, c.oid, CASE c.relkind WHEN 'c' THEN 'TYPE' ELSE 'TABLE' END,
           format('%I.%I', nspname, relname)
    FROM pg_class c JOIN ours ON ours.oid = relnamespace
    WHERE relowner = current_user::regrole AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c')
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, 'TYPE', format('%I.%I', nspname, typname)
    FROM pg_type t JOIN ours ON ours.oid = typnamespace
    WHERE typowner = current_user::regrole AND typtype IN ('d', 'e', 'r')
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, 'ROUTINE', p.oid::regprocedure::text
    FROM pg_proc p JOIN ours ON ours.oid = pronamespace WHERE proowner = current_user::regrole
    UNION ALL
    SELECT 'pg_statistic_ext'::regclass, s.oid, 'STATISTICS', format('%I.%I', nspname, stxname)
    FROM pg_statistic_ext s JOIN ours ON ours.oid = stxnamespace
    WHERE stxowner = current_user::regrole
  )
  SELECT format('ALTER %s %s OWNER TO ${OWNER}', kind, name) AS command FROM owned
  WHERE NOT EXISTS (SELECT FROM fixed WHERE fixed.classid = owned.classid AND objid = owned.oid)`;

async function transferObjects(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ command: string }>(OWNED_BY_SUPERUSER);
  // All in one transaction: of several statements in one query, Postgres keeps all or none.
  if (rows.length > 0) await client.query(rows.map(({ command }) => command).join(';'));
  return rows.length;
}
