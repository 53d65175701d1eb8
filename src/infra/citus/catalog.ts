import type pg from 'pg';

/** How a table is stored. `local` tables are on the coordinator alone. */
export type Placement = 'distributed' | 'reference' | 'local';

export interface TableFacts {
  readonly name: string;
  readonly placement: Placement;
  /** Whether it belongs to users: its primary key begins with `user_id`. */
  readonly isOfUsers: boolean;
}

export interface ForeignKeyFacts {
  readonly name: string;
  readonly table: string;
  readonly target: string;
  /** As ADD CONSTRAINT takes it. */
  readonly definition: string;
}

export interface TriggerFacts {
  readonly name: string;
  readonly table: string;
  /** The whole statement that creates it. */
  readonly definition: string;
}

/** A unique index or constraint of a table of users that does not have `user_id`. */
export interface WideIndexFacts {
  readonly name: string;
  readonly table: string;
}

/** What the catalog of the coordinator says about the tables of the schema public. */
export interface CatalogFacts {
  readonly database: string;
  readonly tables: readonly TableFacts[];
  readonly foreignKeys: readonly ForeignKeyFacts[];
  readonly triggers: readonly TriggerFacts[];
  readonly wideIndexes: readonly WideIndexFacts[];
  /** The body of the function by which changes of sessions and users are announced. */
  readonly announcement: string;
  /** Functions that the workers do not have, with the types of their arguments. Those of triggers follow their tables. */
  readonly functions: readonly string[];
}

/** The tables of users are those whose primary key begins with `user_id`, which is never null there. */
const TABLES = `
  SELECT c.relname AS name, EXISTS (
      SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
      WHERE i.indrelid = c.oid AND i.indisprimary AND a.attname = 'user_id') AS "isOfUsers"
  FROM pg_class c
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> '_prisma_migrations'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                    AND d.deptype = 'e')
  ORDER BY c.relname`;

const FOREIGN_KEYS = `
  SELECT k.conname AS name, c.relname AS "table", t.relname AS target, pg_get_constraintdef(k.oid) AS definition
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
  WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace ORDER BY c.relname, k.conname`;

const TRIGGERS = `
  SELECT g.tgname AS name, c.relname AS "table", pg_get_triggerdef(g.oid) AS definition
  FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
  WHERE NOT g.tgisinternal AND c.relnamespace = 'public'::regnamespace ORDER BY c.relname, g.tgname`;

const WIDE_INDEXES = `
  SELECT x.relname AS name, c.relname AS "table"
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
  WHERE c.relnamespace = 'public'::regnamespace AND i.indisunique AND NOT EXISTS (
    SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'user_id' AND a.attnum = ANY(i.indkey))
  ORDER BY c.relname, x.relname`;

const PLACEMENTS = `
  SELECT c.relname AS name, CASE WHEN p.partmethod = 'h' THEN 'distributed' ELSE 'reference' END AS placement
  FROM pg_dist_partition p JOIN pg_class c ON c.oid = p.logicalrelid
  WHERE c.relnamespace = 'public'::regnamespace AND (p.partmethod = 'h' OR p.repmodel = 't')`;

const ANNOUNCEMENT = `
  SELECT current_database() AS database, coalesce((SELECT prosrc FROM pg_proc
    WHERE proname = 'tell_who_changed' AND pronamespace = 'public'::regnamespace), '') AS announcement`;

const FUNCTIONS = `
  SELECT p.oid::regprocedure::text AS name FROM pg_proc p
  WHERE p.pronamespace = 'public'::regnamespace AND p.prorettype <> 'trigger'::regtype AND p.prokind = 'f'
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')`;

const FUNCTIONS_KNOWN = `
  SELECT o.objid::regprocedure::text AS name FROM pg_dist_object o WHERE o.classid = 'pg_proc'::regclass`;

/** @param hasCitus whether the database has the extension, and so the catalog of placements */
export async function readCatalog(client: pg.Client, hasCitus: boolean): Promise<CatalogFacts> {
  const tables = await client.query<Omit<TableFacts, 'placement'>>(TABLES);
  const placed = hasCitus
    ? await client.query<{ name: string; placement: Placement }>(PLACEMENTS)
    : { rows: [] };
  const placementOf = new Map(placed.rows.map(({ name, placement }) => [name, placement]));
  const names = new Set(tables.rows.filter(({ isOfUsers }) => isOfUsers).map(({ name }) => name));
  const wide = await client.query<WideIndexFacts>(WIDE_INDEXES);
  const { rows } = await client.query<{ database: string; announcement: string }>(ANNOUNCEMENT);
  const functions = await client.query<{ name: string }>(`${FUNCTIONS} ORDER BY 1`);
  const known = hasCitus ? await client.query<{ name: string }>(FUNCTIONS_KNOWN) : { rows: [] };
  const isKnown = new Set(known.rows.map(({ name }) => name));
  return {
    functions: functions.rows.map(({ name }) => name).filter((name) => !isKnown.has(name)),
    database: rows[0]?.database ?? '',
    announcement: rows[0]?.announcement ?? '',
    tables: tables.rows.map((table) => ({
      ...table,
      placement: placementOf.get(table.name) ?? 'local',
    })),
    foreignKeys: (await client.query<ForeignKeyFacts>(FOREIGN_KEYS)).rows,
    triggers: (await client.query<TriggerFacts>(TRIGGERS)).rows,
    wideIndexes: wide.rows.filter(({ table }) => names.has(table)),
  };
}
