import type pg from 'pg';
import type { TableFile } from './manifest.js';

export type TableShape = Pick<TableFile, 'schema' | 'name' | 'columns'>;

/**
 * The tables of pg-boss whose rows matter after a restore. It makes the others again: its version, its statistics,
 * its warnings and its own unfinished schema changes.
 */
const QUEUE_TABLES = ['queue', 'schedule', 'subscription', 'job', 'job_dependency'];

/**
 * The tables whose rows are backed up, with the columns that can be written. A partitioned table is listed instead of
 * its partitions. The history of migrations is left out, because the migrations themselves write it, and so are
 * unlogged tables, because a crash of the database empties them too.
 */
export async function readTables(client: pg.ClientBase): Promise<TableShape[]> {
  const { rows } = await client.query<TableShape>(
    `SELECT n.nspname AS schema, c.relname AS name,
       json_agg(json_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod))
                ORDER BY a.attnum) AS columns
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       AND a.attgenerated = ''
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence = 'p'
       AND (n.nspname = 'public' AND c.relname <> '_prisma_migrations'
            OR n.nspname = 'pgboss' AND c.relname = ANY($1))
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                       AND d.objid = c.oid AND d.deptype = 'e')
     GROUP BY n.nspname, c.relname
     ORDER BY n.nspname DESC, array_position($1, c.relname::text), c.relname`,
    [QUEUE_TABLES],
  );
  return rows;
}

/** The last values of the sequences in the schema public that were used. */
export async function readSequences(
  client: pg.ClientBase,
): Promise<{ name: string; lastValue: string }[]> {
  const { rows } = await client.query<{ name: string; lastValue: string }>(
    `SELECT sequencename AS name, last_value::text AS "lastValue" FROM pg_sequences
     WHERE schemaname = 'public' AND last_value IS NOT NULL ORDER BY sequencename`,
  );
  return rows;
}

/** A constraint or a trigger, with the statements that take it away and put it back. */
interface Suspended {
  readonly suspend: string;
  readonly resume: string;
}

/** The foreign keys of the schema public. They are dropped, because a role without superuser rights cannot disable them. */
export async function readForeignKeys(client: pg.ClientBase): Promise<Suspended[]> {
  const { rows } = await client.query<Suspended>(
    `SELECT format('ALTER TABLE public.%I DROP CONSTRAINT %I', c.relname, k.conname) AS suspend,
       format('ALTER TABLE public.%I ADD CONSTRAINT %I %s', c.relname, k.conname,
              pg_get_constraintdef(k.oid)) AS resume
     FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
     WHERE k.contype = 'f' AND k.conparentid = 0 AND c.relnamespace = 'public'::regnamespace
     ORDER BY c.relname, k.conname`,
  );
  return rows;
}

/**
 * The triggers of the schema public. They are disabled, because rows of a backup are written unchanged and processes
 * need no notices of them.
 */
export async function readTriggers(client: pg.ClientBase): Promise<Suspended[]> {
  const { rows } = await client.query<Suspended>(
    `SELECT format('ALTER TABLE public.%I DISABLE TRIGGER %I', c.relname, t.tgname) AS suspend,
       format('ALTER TABLE public.%I ENABLE TRIGGER %I', c.relname, t.tgname) AS resume
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
     WHERE NOT t.tgisinternal AND t.tgenabled = 'O' AND c.relnamespace = 'public'::regnamespace
     ORDER BY c.relname, t.tgname`,
  );
  return rows;
}
