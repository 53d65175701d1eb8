import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, readConfig, type Config } from '../config.js';
import { reachDatabase } from '../infra/connections/reach.js';
import { createLogger } from '../infra/log.js';
import { asStartError } from '../infra/migrations.js';
import { findRunningPostgres, openEmbeddedDatabase } from '../infra/postgres/embedded.js';
import { StartError } from '../infra/start-error.js';
import { watchNpm } from '../launcher.js';
import { databaseFolderOf, holdDatabase, openDataDir, root } from '../installation.js';

/** Ends the process with the exit code that `work` returns, or prints the error and ends it with 1. */
export async function runCommand(work: () => Promise<number>): Promise<never> {
  watchNpm({
    environment: process.env,
    manifest: root('package.json'),
    scripts: ['backup', 'distribute', 'keys', 'ledger', 'migrate', 'restore', 'voices'],
    onEnded: () => process.kill(process.pid, 'SIGTERM'),
  });
  try {
    // Waits until the output is flushed, because a write to a pipe may be asynchronous.
    process.exitCode = await work();
    await new Promise((resolve) => process.stdout.write('', resolve));
  } catch (error) {
    const known = asStartError(error);
    const expected = known instanceof StartError || known instanceof ConfigError;
    process.stderr.write(`${expected ? known.message : String((error as Error).stack)}\n`);
    process.exitCode = 1;
  }
  // The schema engine leaves a timer of its own running.
  process.exit();
}

/**
 * Gives a command the database that the server would use: DATABASE_URL, the embedded Postgres of a
 * server that runs, or one of its own that ends with the command.
 * @param options.create whether an embedded Postgres is made where there is none
 */
export async function withDatabase<Result>(
  options: { create: boolean },
  work: (databaseUrl: string, config: Config) => Promise<Result>,
): Promise<Result> {
  const config = readConfig(process.env);
  if (config.databaseUrl !== null) {
    // A command that may create the database connects to it by itself.
    const url = options.create ? config.databaseUrl : await reach(config.databaseUrl);
    return work(url, config);
  }
  const folder = databaseFolderOf(config.dataDir);
  const running = await findRunningPostgres(folder);
  if (running !== null) return work(running, config);
  if (!options.create) await assertThere(folder, config.dataDir);
  const log = createLogger({ level: 'warn', format: 'pretty', toStderr: true });
  const hold = await holdDatabase(config, log).catch(async (error: unknown) => {
    // A server that was starting may have its Postgres by now.
    const started = await findRunningPostgres(folder);
    if (started === null) throw error;
    return started;
  });
  if (typeof hold === 'string') return work(hold, config);
  try {
    await openDataDir(config);
    const postgres = await openEmbeddedDatabase({ folder, log, hold });
    return await work(postgres.url, config).finally(() => postgres.close());
  } finally {
    hold.release();
  }
}

/** @returns the address that pools connect with. @throws StartError where it cannot be reached */
async function reach(databaseUrl: string): Promise<string> {
  const { client, databaseUrl: settled } = await reachDatabase(databaseUrl, { create: false });
  await client.end();
  return settled;
}

async function assertThere(folder: string, dataDir: string): Promise<void> {
  await access(join(folder, 'cluster', 'PG_VERSION')).catch(() => {
    throw new StartError(
      `There is no database in ${dataDir}: start Talebank once, or set DATA_DIR or DATABASE_URL.`,
    );
  });
}
