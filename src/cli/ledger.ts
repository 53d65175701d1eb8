/**
 * The ledger for operators, on the database of DATABASE_URL or the embedded one:
 *   npm run ledger -- verify [--repair] [--user USER]
 *   npm run ledger -- show USER
 *   npm run ledger -- export USER > file.jsonl
 * USER is an id or an e-mail address. `verify` ends with 1 when anything is wrong.
 */
import { parseArgs } from 'node:util';
import type { App } from '../app.js';
import { DomainError } from '../domain/errors.js';
import { createDb } from '../infra/db.js';
import { createLogger } from '../infra/log.js';
import { StartError } from '../infra/start-error.js';
import { findUser, type UserView } from '../services/accounts/people.js';
import { exportAccount } from '../services/reconciliation/export.js';
import { checkLedger, type LedgerHealth } from '../services/reconciliation/reconcile.js';
import { repairLedger } from '../services/reconciliation/repair.js';
import { summariseAccount } from '../services/reconciliation/summary.js';
import { runCommand, withDatabase } from './database.js';

type Facts = Pick<App, 'db' | 'log'>;

const USAGE = `Usage:
  npm run ledger -- verify [--repair] [--user USER]
  npm run ledger -- show USER
  npm run ledger -- export USER > file.jsonl
USER is an id or an e-mail address.`;

const print = (line: string): void => void process.stdout.write(`${line}\n`);

async function userOf(facts: Facts, name: string | undefined): Promise<UserView> {
  if (name === undefined) throw new StartError(USAGE);
  const wanted = name.includes('@') ? { email: name } : { id: name };
  return findUser(facts, wanted).catch((error: unknown) => {
    throw error instanceof DomainError ? new StartError(`There is no user ${name}.`) : error;
  });
}

function printHealth({ checks, accounts, transactions }: LedgerHealth, seconds: number): void {
  for (const { invariant, description, violations, sample } of checks) {
    print(`${violations === 0 ? 'ok  ' : 'FAIL'} ${invariant.padStart(2)}  ${description}`);
    if (violations > 0) print(`         ${String(violations)} violated:`);
    for (const line of sample) print(`         ${line}`);
  }
  const wrong = checks.filter(({ violations }) => violations > 0).length;
  print(
    `${wrong === 0 ? 'Sound' : `${String(wrong)} of ${String(checks.length)} rules are violated`}: ` +
      `${String(accounts)} accounts, ${String(transactions)} transactions, ${seconds.toFixed(1)} s.`,
  );
}

async function verify(
  facts: Facts,
  options: { user: string | undefined; repair: boolean },
): Promise<number> {
  const userId = options.user === undefined ? undefined : (await userOf(facts, options.user)).id;
  if (options.repair) {
    const repaired = await repairLedger(facts, userId);
    print(`${String(repaired)} lots were set to what their allocations say.`);
  }
  const startedAt = performance.now();
  const health = await checkLedger(facts, { userId });
  printHealth(health, (performance.now() - startedAt) / 1000);
  return health.ok ? 0 : 1;
}

async function run(facts: Facts): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { user: { type: 'string' }, repair: { type: 'boolean', default: false } },
  });
  const [command, user] = positionals;
  if (command === 'verify') return verify(facts, { user: values.user, repair: values.repair });
  if (command === 'show') {
    for (const line of await summariseAccount(facts, await userOf(facts, user))) print(line);
    return 0;
  }
  if (command === 'export') {
    const { id } = await userOf(facts, user);
    for await (const line of exportAccount(facts, id)) {
      if (!process.stdout.write(`${JSON.stringify(line)}\n`))
        await new Promise((resolve) => process.stdout.once('drain', resolve));
    }
    return 0;
  }
  throw new StartError(USAGE);
}

await runCommand(() =>
  withDatabase({ create: false }, async (url, config) => {
    const log = createLogger({ level: 'error', format: 'json', toStderr: true });
    const db = createDb({ url, poolSize: config.databasePoolSize, log });
    try {
      return await run({ db, log });
    } catch (error) {
      if (String((error as { code?: unknown }).code).includes('ERR_PARSE_ARGS'))
        throw new StartError(USAGE);
      if (/relation .* does not exist/.test((error as Error).message))
        throw new StartError('This database is not up to date: run `npm run migrate` first.');
      throw error;
    } finally {
      await db.$disconnect();
    }
  }),
);
