/**
 * `npm run migrate`: brings the database of DATABASE_URL, or the embedded one, up to date.
 * With --retry: applies a migration again that was begun and has not ended.
 * With --check: says what schema.prisma has that the migrations have not, and fails if there is anything.
 */
import '../environment.js';
import { prepareDatabase, schemaDrift } from '../infra/migrations.js';
import { StartError } from '../infra/start-error.js';
import { MIGRATIONS } from '../installation.js';
import { runCommand, withDatabase } from './database.js';

async function migrate(databaseUrl: string): Promise<number> {
  const retry = process.argv.includes('--retry');
  const { applied } = await prepareDatabase(databaseUrl, MIGRATIONS, { retry });
  process.stdout.write(
    applied.length === 0 ? 'Nothing to migrate.\n' : `Applied ${applied.join(', ')}.\n`,
  );
  if (!process.argv.includes('--check')) return 0;
  const drift = await schemaDrift(databaseUrl, MIGRATIONS);
  if (drift !== '') throw new StartError(`The migrations lack what schema.prisma says:\n${drift}`);
  process.stdout.write('The migrations make what schema.prisma says.\n');
  return 0;
}

await runCommand(() => withDatabase({ create: true }, migrate));
