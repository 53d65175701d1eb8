import type { CatalogFacts, ForeignKeyFacts, TableFacts, TriggerFacts } from './catalog.js';

/** A statement, and what it does, for a person who reads the plan. */
export interface Step {
  readonly what: string;
  readonly sql: string;
}

/**
 * Tables that every node has a copy of, in the order of their foreign keys: what tables of users refer to, and what the
 * ledger's statements and triggers read beside an account.
 */
export const REFERENCE_TABLES = ['users', 'story_texts', 'stories', 'voices', 'closed_months'];

/** The table that all others are placed with, so that everything of a user is on one node. */
const FIRST_TABLE = 'credit_accounts';

/** The number of shards of each distributed table. Shards can be moved, but not merged. */
export const SHARDS = 32;

/**
 * The tables that triggers write to on each worker, as on the coordinator. The changes are announced from there. The counts
 * of stories are only read on the coordinator, but each copy of a story has the trigger. The sequence is logged although
 * its table is not, because an unlogged one cannot be read on a standby that was promoted.
 */
export const TABLES_OF_A_WORKER = `
CREATE SEQUENCE IF NOT EXISTS public.live_changes_id_seq;
CREATE UNLOGGED TABLE IF NOT EXISTS public.live_changes (
  id bigint NOT NULL DEFAULT nextval('public.live_changes_id_seq') PRIMARY KEY,
  topic text NOT NULL,
  writer xid8 NOT NULL DEFAULT pg_current_xact_id()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX IF NOT EXISTS live_changes_writer_idx ON public.live_changes (writer);
CREATE TABLE IF NOT EXISTS public.library_counts (
  kind text NOT NULL,
  value text COLLATE "C" NOT NULL,
  stories integer NOT NULL,
  PRIMARY KEY (kind, value)
)`;

/**
 * A transaction of several nodes is prepared, and one with a notice cannot be. So the trigger leaves the change in the
 * table of its node, from which it is announced, as those of balances and narrations do.
 */
const ANNOUNCE_LATER = `
CREATE OR REPLACE FUNCTION public.tell_who_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.live_changes (topic) VALUES ('standing ' || (to_jsonb(OLD) ->> TG_ARGV[0]));
    RETURN NULL;
END
$$`;

const ident = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/** Where a table belongs. */
export function wantedPlacement({ name, isOfUsers }: TableFacts): TableFacts['placement'] {
  if (REFERENCE_TABLES.includes(name)) return 'reference';
  return isOfUsers ? 'distributed' : 'local';
}

/**
 * The steps from what the catalog says to the distributed schema, in one transaction. Empty when it is distributed.
 * Foreign keys of tables that move are dropped first and added last, because a table cannot be distributed while tables
 * of another kind refer to it. So are triggers, because they would treat the rows that move as inserted.
 */
export function planDistribution(facts: CatalogFacts): readonly Step[] {
  const moving = facts.tables.filter((table) => table.placement !== wantedPlacement(table));
  const moves = (name: string): boolean => moving.some((table) => table.name === name);
  const keys = facts.foreignKeys.filter(({ table, target }) => moves(table) || moves(target));
  const triggers = facts.triggers.filter(({ table }) => moves(table));
  const indexes = facts.wideIndexes.filter(({ table }) => moves(table));
  return [
    ...announcing(facts),
    ...facts.functions.map((name) => ({
      what: `make the function ${name} known to the workers`,
      sql: `SELECT create_distributed_function(${literal(name)})`,
    })),
    ...keys.map((key) => dropKey(key)),
    ...triggers.map((trigger) => dropTrigger(trigger)),
    ...indexes.map(({ name, table }) => ({
      what: `take away the unique index ${name} of ${table}, which has no user_id`,
      sql: `DROP INDEX public.${ident(name)}`,
    })),
    ...REFERENCE_TABLES.filter(moves).map((name) => ({
      what: `copy ${name} to every node`,
      sql: `SELECT create_reference_table(${literal(`public.${name}`)})`,
    })),
    ...placedFirst(moving).map((name) => distribute(name)),
    ...keys.map((key) => addKey(key)),
    ...triggers.map(({ name, table, definition }) => ({
      what: `create the trigger ${name} of ${table} again`,
      sql: definition,
    })),
    ...(moving.length === 0 ? [] : settings(facts.database)),
  ];
}

function announcing({ announcement }: CatalogFacts): readonly Step[] {
  if (announcement.includes('live_changes')) return [];
  return [
    { what: 'announce the ends of sessions after their transactions', sql: ANNOUNCE_LATER.trim() },
  ];
}

const dropKey = ({ name, table, target }: ForeignKeyFacts): Step => ({
  what: `drop the foreign key from ${table} to ${target} for the time being`,
  sql: `ALTER TABLE public.${ident(table)} DROP CONSTRAINT ${ident(name)}`,
});

const addKey = ({ name, table, target, definition }: ForeignKeyFacts): Step => ({
  what: `add the foreign key from ${table} to ${target} again`,
  sql: `ALTER TABLE public.${ident(table)} ADD CONSTRAINT ${ident(name)} ${definition}`,
});

const dropTrigger = ({ name, table }: TriggerFacts): Step => ({
  what: `drop the trigger ${name} of ${table} for the time being`,
  sql: `DROP TRIGGER ${ident(name)} ON public.${ident(table)}`,
});

/** The names of the tables that are to be distributed; the one that the others are placed with is the first. */
function placedFirst(moving: readonly TableFacts[]): readonly string[] {
  const names = moving
    .filter((table) => wantedPlacement(table) === 'distributed')
    .map(({ name }) => name);
  return [FIRST_TABLE, ...names.filter((name) => name !== FIRST_TABLE)].filter((name) =>
    names.includes(name),
  );
}

function distribute(name: string): Step {
  const where =
    name === FIRST_TABLE
      ? `colocate_with => 'none', shard_count => ${String(SHARDS)}`
      : `colocate_with => 'public.${FIRST_TABLE}'`;
  return {
    what: `distribute ${name} by user_id`,
    sql: `SELECT create_distributed_table(${literal(`public.${name}`)}, 'user_id', ${where})`,
  };
}

/**
 * The ledger's clock is read on the node of the account. A volatile function cannot be used by an UPDATE there, because
 * it could have another value on each copy of a row. A stable one is read once for each statement, and in `lockAccounts`
 * still after the lock. Migrations make triggers in sessions of their own.
 */
const settings = (database: string): readonly Step[] => [
  {
    what: "let updates read the ledger's clock",
    sql: 'ALTER FUNCTION public.ledger_now() STABLE',
  },
  {
    what: 'let later migrations make triggers on distributed tables',
    sql: `ALTER DATABASE ${ident(database)} SET citus.enable_unsafe_triggers = on`,
  },
];
