import type pg from 'pg';
import { reachDatabase } from '../connections/reach.js';
import { requireServer } from '../connections/requirements.js';
import { MIGRATION_LOCK } from '../migrations.js';
import { readMigrations, type MigrationFiles } from '../migrations/engine.js';
import { pendingMigrations } from '../migrations/history.js';
import { StartError } from '../start-error.js';
import { readCatalog } from './catalog.js';
import { planDistribution, TABLES_OF_A_WORKER, type Step } from './plan.js';

interface Preconditions {
  readonly version: string | null;
  /** Other sessions of Talebank, whose statements would meet the tables while they move. */
  readonly sessions: number;
}

const PRECONDITIONS = `
  SELECT (SELECT extversion FROM pg_extension WHERE extname = 'citus') AS version,
         (SELECT count(*)::int FROM pg_stat_activity WHERE datname = current_database()
          AND pid <> pg_backend_pid() AND application_name LIKE 'talebank%') AS sessions`;

const CLUSTER = `
  SELECT citus_is_coordinator() AS "isCoordinator",
         (SELECT count(*)::int FROM pg_dist_node WHERE groupid = 0) AS coordinators,
         (SELECT count(*)::int FROM pg_dist_node WHERE shouldhaveshards AND noderole = 'primary') AS holders`;

export interface Distribution {
  /** What was done or, with `plan`, what would be done. */
  readonly steps: readonly Step[];
  /** The version of Citus; null where a plan was asked of a database without it. */
  readonly citus: string | null;
}

/**
 * Distributes the tables over the nodes of a Citus cluster, in one transaction. What is distributed already stays as it
 * is. With `plan`, it reads only, and also tells the steps of a database without Citus.
 * @throws StartError when the database cannot be distributed
 */
export async function distribute(
  databaseUrl: string,
  files: MigrationFiles,
  { plan }: { readonly plan: boolean },
): Promise<Distribution> {
  const { client } = await reachDatabase(databaseUrl, { create: false });
  try {
    await requireServer(client);
    await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    const { rows } = await client.query<Preconditions>(PRECONDITIONS);
    const { version = null, sessions = 0 } = rows[0] ?? {};
    if (!plan) await requireCluster(client, { version, sessions });
    await requireMigrated(client, files);
    const steps = planDistribution(await readCatalog(client, version !== null));
    if (!plan) await carryOut(client, steps);
    return { steps, citus: version };
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function requireMigrated(client: pg.Client, files: MigrationFiles): Promise<void> {
  const { names } = await pendingMigrations(client, await readMigrations(files), { retry: false });
  if (names.length > 0)
    throw new StartError(
      'DATABASE_URL: the database lacks migrations of this release: run `npm run migrate` first.',
    );
}

async function requireCluster(client: pg.Client, found: Preconditions): Promise<void> {
  if (found.version === null)
    throw new StartError(
      'DATABASE_URL: the database does not have the extension citus, so there are no nodes to distribute it over: docs/citus.md says how a cluster is prepared. `npm run distribute -- --plan` shows the steps without it.',
    );
  if (found.sessions > 0)
    throw new StartError(
      `DATABASE_URL: ${String(found.sessions)} connections of Talebank are open, and the tables must not be used while they move: stop every process first.`,
    );
  const { rows } = await client.query<{
    isCoordinator: boolean;
    coordinators: number;
    holders: number;
  }>(CLUSTER);
  const [cluster] = rows;
  if (cluster?.isCoordinator !== true)
    throw new StartError(
      'DATABASE_URL: the server is a worker of the cluster: name the coordinator.',
    );
  if (cluster.coordinators === 0)
    throw new StartError(
      "DATABASE_URL: the coordinator is not in its own list of nodes, so it would have no copy of the reference tables: run SELECT citus_set_coordinator_host('its host', its port).",
    );
  if (cluster.holders === 0)
    throw new StartError(
      "DATABASE_URL: no node of the cluster may hold shards: add a worker with SELECT citus_add_node('its host', its port).",
    );
}

/** The workers come first, because the triggers of the shards need their tables from the moment they exist. */
async function carryOut(client: pg.Client, steps: readonly Step[]): Promise<void> {
  const { rows } = await client.query<{ success: boolean; result: string }>(
    'SELECT success, result FROM run_command_on_workers($1)',
    [`DO $worker$ BEGIN ${TABLES_OF_A_WORKER}; END $worker$`],
  );
  const failed = rows.find(({ success }) => !success);
  if (failed !== undefined)
    throw new StartError(
      `DATABASE_URL: a worker of the cluster cannot create its tables. Remove the cause and run the command again: ${failed.result}`,
    );
  if (steps.length === 0) return;
  await client.query('BEGIN');
  await client.query(`SET LOCAL citus.multi_shard_modify_mode = 'sequential'`);
  await client.query(`SET LOCAL citus.enable_unsafe_triggers = on`);
  for (const { sql } of steps) await client.query(sql);
  await client.query('COMMIT');
}
