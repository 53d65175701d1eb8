/**
 * `npm run migrate`: brings the database of DATABASE_URL, or the embedded one, up to date.
 * With --check: says what schema.prisma has that the migrations have not, and fails if there is anything.
 */
import { join } from 'node:path';
import { ConfigError, readConfig } from '../config.js';
import { createLogger } from '../infra/log.js';
import { applyMigrations, schemaDrift } from '../infra/migrations.js';
import { startEmbeddedPostgres } from '../infra/postgres/embedded.js';
import { StartError } from '../infra/start-error.js';
import { MIGRATIONS, openDataDir } from '../start.js';

async function run(databaseUrl: string): Promise<void> {
  const applied = await applyMigrations(databaseUrl, MIGRATIONS);
  process.stdout.write(
    applied.length === 0 ? 'Nothing to migrate.\n' : `Applied ${applied.join(', ')}.\n`,
  );
  if (!process.argv.includes('--check')) return;
  const drift = await schemaDrift(databaseUrl, MIGRATIONS);
  if (drift === '') {
    process.stdout.write('The migrations make what schema.prisma says.\n');
    return;
  }
  throw new StartError(`The migrations lack what schema.prisma says:\n${drift}`);
}

try {
  const config = readConfig(process.env);
  if (config.databaseUrl !== null) {
    await run(config.databaseUrl);
  } else {
    await openDataDir(config);
    const log = createLogger({ level: 'warn', format: 'pretty' });
    const postgres = await startEmbeddedPostgres({ folder: join(config.dataDir, 'postgres'), log });
    await run(postgres.url).finally(() => postgres.close());
  }
} catch (error) {
  const expected = error instanceof StartError || error instanceof ConfigError;
  process.stderr.write(`${expected ? error.message : String((error as Error).stack)}\n`);
  process.exit(1);
}
// The schema engine leaves a timer of its own running.
process.exit(0);
