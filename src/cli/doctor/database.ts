import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import type pg from 'pg';
import type { Config } from '../../config.js';
import { requireRights, requireServer } from '../../infra/connections/requirements.js';
import { reachDatabase } from '../../infra/connections/reach.js';
import { createDb, type Db } from '../../infra/db.js';
import type { Logger } from '../../infra/log.js';
import { readMigrations } from '../../infra/migrations/engine.js';
import { pendingMigrations } from '../../infra/migrations/history.js';
import { findRunningPostgres } from '../../infra/postgres/embedded.js';
import { databaseFolderOf, MIGRATIONS } from '../../installation.js';
import { readClock, readForeignTables, readLedgerAheadMs, readServer } from './doctor.sql.js';
import { fail, ok, warn, type Check, type Finding } from './findings.js';

/** The connections of the doctor: one for statements of its own, and a pool for those of the server. */
export interface Reached {
  /** Runs statements on the connection, one check after the other. */
  readonly ask: <Result>(work: (client: pg.Client) => Promise<Result>) => Promise<Result>;
  readonly db: Db;
}

/** Says why there is no database to ask. */
export class Unreached extends Error {}

const STATEMENT_TIMEOUT_MS = 4_000;

/**
 * The address of the database that the server would use. An embedded one is not started.
 * @throws Unreached where the embedded database does not run
 */
export async function addressOf({ databaseUrl, dataDir }: Config): Promise<string> {
  const url = databaseUrl ?? (await findRunningPostgres(databaseFolderOf(dataDir)));
  if (url !== null) return url;
  throw new Unreached(
    'the embedded database does not run, because no server runs on this DATA_DIR',
  );
}

/**
 * Connects once for all checks.
 * @param limitMs shorter than the limit of a check, so that only one of them tells that the database hangs
 * @throws an error that says in one line what is wrong
 */
export async function reach(address: string, log: Logger, limitMs: number): Promise<Reached> {
  const late = sleep(limitMs).then(() => {
    throw new Error(
      `the database does not answer within ${String(limitMs / 1000)} s: it hangs, or a firewall drops what is sent to it`,
    );
  });
  late.catch(() => undefined);
  const { client, databaseUrl } = await Promise.race([
    reachDatabase(address, { create: false }),
    late,
  ]);
  await client.query(`SET statement_timeout = ${String(STATEMENT_TIMEOUT_MS)}`);
  const turn = pLimit(1);
  return {
    ask: (work) => turn(() => work(client)),
    db: createDb({ url: databaseUrl, poolSize: 2, log }),
  };
}

/** A check that needs the database. If it is not reached, only the check `database` says why. */
export const withDatabase = (
  name: string,
  reached: Promise<Reached>,
  run: (reached: Reached) => Promise<Finding | readonly Finding[]>,
): Check => ({
  name,
  run: async () => {
    let database: Reached;
    try {
      database = await reached;
    } catch {
      return warn('not known, because the database is not reached', 'See the line `database`.');
    }
    return run(database);
  },
});

const MEGABYTE = 1024 * 1024;

/**
 * Checks that a supported Postgres answers. It warns when the embedded database does not run, or when more than 80 % of
 * the connections are in use. Its run throws the reason when another database is not reached.
 */
export const databaseCheck = (reached: Promise<Reached>): Check => ({
  name: 'database',
  run: async () => {
    try {
      const { ask } = await reached;
      return await ask(async (client) => {
        await requireServer(client);
        return ofServer(await readServer(client));
      });
    } catch (error) {
      if (error instanceof Unreached)
        return warn(
          error.message,
          'Start it with `npm start` if it is to run. Nothing was started.',
        );
      throw error;
    }
  },
});

function ofServer(facts: Awaited<ReturnType<typeof readServer>>): Finding {
  const { version, database, role, sessions, sessionsMax, size } = facts;
  const text =
    `Postgres ${version}, database ${database} (${(size / MEGABYTE).toFixed(0)} MB), role ${role}, ` +
    `${String(sessions)} of ${String(sessionsMax)} connections in use`;
  return sessions > 0.8 * sessionsMax
    ? warn(text, 'Raise max_connections, or lower DATABASE_POOL_SIZE of the processes.')
    : ok(text);
}

/** Compares the migrations of the database with those of this release. */
export const migrationsCheck = (reached: Promise<Reached>): Check =>
  withDatabase('migrations', reached, async ({ ask }) => {
    const known = await readMigrations(MIGRATIONS);
    // Throws where the database has unknown, changed or interrupted ones.
    const { names } = await ask((client) => pendingMigrations(client, known, { retry: false }));
    const newest = known.at(-1)?.name ?? '';
    if (names.length === 0) return ok(`all ${String(known.length)} are applied, up to ${newest}`);
    return fail(
      `${String(names.length)} of ${String(known.length)} are pending: ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`,
      'Run `npm run migrate`, or start the server, which applies them: docs/operations.md, Upgrading.',
    );
  });

/**
 * Checks that the role may do what a start and its migrations do, and that it owns all tables. Only the owner of a
 * table may alter it.
 */
export const rightsCheck = (reached: Promise<Reached>): Check =>
  withDatabase('rights', reached, async ({ ask }) => {
    const foreign = await ask(async (client) => {
      await requireRights(client, true);
      return readForeignTables(client);
    });
    return foreign.length === 0
      ? ok('the role may do all that a start and its migrations do')
      : fail(
          `the role does not own ${foreign.join(', ')}`,
          'Run as the role that has migrated the database, or run ALTER TABLE … OWNER TO.',
        );
  });

/** Differences that network and rounding explain. */
const SKEW_OK_MS = 2_000;
const SKEW_WARN_MS = 60_000;
/** What a statement may lie between the two readings of one clock. */
const LEDGER_OK_MS = 1_000;

/**
 * Compares the database’s clock with that of this machine: it warns above 2 s and fails above 60 s. It also fails when
 * `ledger_now()` differs from the database’s clock by more than 1 s.
 */
export const clockCheck = (reached: Promise<Reached>): Check =>
  withDatabase('clock', reached, ({ ask }) => ask(compareClocks));

async function compareClocks(client: pg.Client): Promise<Finding[]> {
  const before = Date.now();
  const databaseMs = await readClock(client);
  const after = Date.now();
  // The reading lies between the two, so only what is outside of them is a difference.
  const aheadMs = databaseMs > after ? databaseMs - after : Math.min(0, databaseMs - before);
  const seconds = (Math.abs(aheadMs) / 1000).toFixed(1);
  const side = aheadMs > 0 ? 'ahead of' : 'behind';
  const text = `the database’s clock is ${seconds} s ${side} that of this machine`;
  const advice =
    'Synchronise both clocks (NTP). The database’s clock decides about points, and this machine’s about tokens.';
  return [
    Math.abs(aheadMs) <= SKEW_OK_MS
      ? ok('the clocks of the database and of this machine agree')
      : (Math.abs(aheadMs) <= SKEW_WARN_MS ? warn : fail)(text, advice),
    ...(await ledgerClock(client)),
  ];
}

async function ledgerClock(client: pg.Client): Promise<Finding[]> {
  const aheadMs = await readLedgerAheadMs(client).catch(() => 0);
  if (Math.abs(aheadMs) <= LEDGER_OK_MS) return [];
  return [
    fail(
      `ledger_now() is ${(Math.abs(aheadMs) / 1000).toFixed(1)} s ${aheadMs > 0 ? 'ahead of' : 'behind'} the database’s clock`,
      'The function was replaced. Restore it as in the first migration, because it decides when points lapse.',
    ),
  ];
}
