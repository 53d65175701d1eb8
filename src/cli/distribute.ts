/**
 * `npm run distribute`: distributes the tables of a migrated database over the nodes of a Citus cluster. Does nothing
 * where they are distributed.
 * With --plan: prints the statements, and changes nothing.
 */
import '../environment.js';
import { parseArgs } from 'node:util';
import { distribute } from '../infra/citus/distribute.js';
import type { Step } from '../infra/citus/plan.js';
import { MIGRATIONS } from '../installation.js';
import { runCommand, withDatabase } from './database.js';

const planned = ({ what, sql }: Step): string => `-- ${what}\n${sql};\n`;

async function run(databaseUrl: string): Promise<number> {
  const { values } = parseArgs({ options: { plan: { type: 'boolean', default: false } } });
  const { steps, citus } = await distribute(databaseUrl, MIGRATIONS, values);
  if (steps.length === 0) process.stdout.write('The tables are distributed.\n');
  else if (!values.plan) process.stdout.write(steps.map(({ what }) => `Done: ${what}.\n`).join(''));
  else {
    const without = '-- The database does not have the extension citus.\n';
    process.stdout.write((citus === null ? without : '') + steps.map(planned).join(''));
  }
  return 0;
}

await runCommand(() => withDatabase({ create: false }, run));
