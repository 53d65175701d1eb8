import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, readConfig, type Config } from '../config.js';
import { createLogger } from '../infra/log.js';
import { findRunningPostgres, startEmbeddedPostgres } from '../infra/postgres/embedded.js';
import { StartError } from '../infra/start-error.js';
import { openDataDir } from '../places.js';

/** Ends the process with what `work` returns, or with 1 and a line for people. */
export async function runCommand(work: () => Promise<number>): Promise<never> {
  try {
    // What was written to a pipe must have left before the process ends.
    process.exitCode = await work();
    await new Promise((resolve) => process.stdout.write('', resolve));
  } catch (error) {
    const expected = error instanceof StartError || error instanceof ConfigError;
    process.stderr.write(`${expected ? error.message : String((error as Error).stack)}\n`);
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
  if (config.databaseUrl !== null) return work(config.databaseUrl, config);
  const folder = join(config.dataDir, 'postgres');
  const running = await findRunningPostgres(folder);
  if (running !== null) return work(running, config);
  if (!options.create) await assertThere(folder, config.dataDir);
  await openDataDir(config);
  const log = createLogger({ level: 'warn', format: 'pretty', toStderr: true });
  const postgres = await startEmbeddedPostgres({ folder, log });
  return work(postgres.url, config).finally(() => postgres.close());
}

async function assertThere(folder: string, dataDir: string): Promise<void> {
  await access(join(folder, 'cluster', 'PG_VERSION')).catch(() => {
    throw new StartError(
      `There is no database in ${dataDir}: start Talebank once, or set DATA_DIR or DATABASE_URL.`,
    );
  });
}
