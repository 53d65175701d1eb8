/**
 * The ledger for operators, on the database of DATABASE_URL or the embedded one:
 *   npm run ledger -- verify [--repair [--dry-run]] [--user USER] [--anchor FILE [--key FILE]]
 *   npm run ledger -- reconcile [--full] [--repair | --no-repair | --dry-run]
 *   npm run ledger -- show USER
 *   npm run ledger -- export USER > file.jsonl
 *   npm run ledger -- prove USER --anchor FILE [--key FILE] > file.jsonl
 *   npm run ledger -- journal --month 2026-10 [--format csv|jsonl] > file.csv
 *   npm run ledger -- close-month 2026-10
 * USER is an id or an e-mail address. `verify` and `reconcile` end with 1 when anything is wrong that they have not
 * repaired.
 */
import '../environment.js';
import { parseArgs } from 'node:util';
import type { App } from '../services/app.js';
import type { Config } from '../config.js';
import { codeOf, DomainError } from '../domain/errors.js';
import { readTopology } from '../infra/citus/topology.js';
import { createDb } from '../infra/db.js';
import { isTableMissing } from '../infra/connections/database-errors.js';
import { createLogger } from '../infra/log.js';
import { StartError } from '../infra/start-error.js';
import { findUser } from '../services/accounts/people.js';
import type { UserView } from '../services/accounts/people.sql.js';
import { proveAccount } from '../services/anchors/prove.js';
import { AnchorError } from '../services/anchors/statement.js';
import { exportAccount } from '../services/reconciliation/export.js';
import { checkLedger, reconcileCredits } from '../services/reconciliation/reconcile.js';
import { summariseAccount } from '../services/reconciliation/summary.js';
import { repairLedger } from '../services/repairs/repair-ledger.js';
import { NIGHTLY, REPAIR_ACTION } from '../services/repairs/repair-locked.js';
import { asJournalFormat, printClosing, printJournal, writeAll } from './accounting.js';
import { runCommand, withDatabase } from './database.js';
import { anchorOf, keysOf, print, printHealth, proveLedger, type AnchorOptions } from './proof.js';
import { lotsWereSet, repairLines } from './repairs.js';

type Facts = Pick<App, 'db' | 'log'>;

const USAGE = `Usage:
  npm run ledger -- verify [--repair [--dry-run]] [--user USER] [--anchor FILE [--key FILE]]
  npm run ledger -- reconcile [--full] [--repair | --no-repair | --dry-run]
  npm run ledger -- show USER
  npm run ledger -- export USER > file.jsonl
  npm run ledger -- prove USER --anchor FILE [--key FILE] > file.jsonl
  npm run ledger -- journal --month 2026-10 [--format csv|jsonl] > file.csv
  npm run ledger -- close-month 2026-10
USER is an id or an e-mail address. --key is a file with the public key, or with a copy of /.well-known/jwks.json.`;

async function userOf(facts: Facts, name: string | undefined): Promise<UserView> {
  if (name === undefined) throw new StartError(USAGE);
  const wanted = name.includes('@') ? { email: name } : { id: name };
  return findUser(facts, wanted).catch((error: unknown) => {
    throw error instanceof DomainError ? new StartError(`There is no user ${name}.`) : error;
  });
}

async function verify(
  facts: Facts,
  options: AnchorOptions & { user: string | undefined; repair: boolean; dryRun: boolean },
): Promise<number> {
  if (options.key !== undefined && options.anchor === undefined) throw new StartError(USAGE);
  if (options.dryRun && !options.repair) throw new StartError(USAGE);
  const anchor = await anchorOf(facts, options);
  const userId = options.user === undefined ? undefined : (await userOf(facts, options.user)).id;
  if (options.repair) {
    const repairs = await repairLedger(facts, userId, {
      source: 'reconciliation',
      action: 'ledger verify --repair',
      withDead: true,
      withClosed: true,
      dryRun: options.dryRun,
    });
    for (const line of repairLines(repairs)) print(line);
  }
  return proveLedger(facts, anchor, userId);
}

interface ReconcileFlags {
  readonly full: boolean;
  readonly repair: boolean;
  readonly dryRun: boolean;
}

/** Does the same as the nightly task, but makes no anchor. A dry run reads all history, and stores nothing. */
async function reconcile(facts: Facts, { full, repair, dryRun }: ReconcileFlags): Promise<number> {
  const startedAt = performance.now();
  if (dryRun) {
    const repairs = await repairLedger(facts, undefined, { ...NIGHTLY, dryRun });
    for (const line of repairLines(repairs)) print(line);
  }
  const health = dryRun
    ? await checkLedger(facts)
    : await reconcileCredits(facts, { repair, ...(full ? { full } : {}) });
  printHealth(health, (performance.now() - startedAt) / 1000);
  if (health.repairedLots > 0)
    print(
      `${lotsWereSet(health.repairedLots)}: the audit log names each (action ${REPAIR_ACTION}).`,
    );
  return health.ok ? 0 : 1;
}

async function printLines(lines: AsyncIterable<object>): Promise<number> {
  const texts = async function* (): AsyncGenerator<string> {
    for await (const line of lines) yield `${JSON.stringify(line)}\n`;
  };
  await writeAll(texts());
  return 0;
}

async function run(facts: Facts, config: Pick<Config, 'reconcileRepair'>): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      user: { type: 'string' },
      repair: { type: 'boolean', default: false },
      'no-repair': { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
      anchor: { type: 'string' },
      key: { type: 'string' },
      full: { type: 'boolean', default: false },
      month: { type: 'string' },
      format: { type: 'string', default: 'csv' },
    },
  });
  const [command, user] = positionals;
  const { anchor, key, month, full, repair, 'no-repair': noRepair, 'dry-run': dryRun } = values;
  if ([repair && command === 'reconcile', noRepair, dryRun && !repair].filter(Boolean).length > 1)
    throw new StartError(USAGE);
  const format = asJournalFormat(values.format);
  if (command === 'verify')
    return verify(facts, { user: values.user, repair, dryRun, anchor, key });
  if (command === 'reconcile')
    return reconcile(facts, {
      full,
      repair: repair || (config.reconcileRepair && !noRepair),
      dryRun,
    });
  if (command === 'show') {
    for (const line of await summariseAccount(facts, await userOf(facts, user))) print(line);
    return 0;
  }
  if (command === 'export') return printLines(exportAccount(facts, (await userOf(facts, user)).id));
  if (command === 'prove' && anchor !== undefined) {
    const { id } = await userOf(facts, user);
    return printLines(proveAccount(facts, id, { path: anchor, keys: await keysOf(facts, key) }));
  }
  if (command === 'journal' && month !== undefined && format !== undefined)
    return printJournal(facts, month, format);
  if (command === 'close-month' && user !== undefined) return printClosing(facts, user);
  throw new StartError(USAGE);
}

await runCommand(() =>
  withDatabase({ create: false }, async (url, config) => {
    const log = createLogger({ level: 'error', format: 'json', toStderr: true });
    const db = createDb({ url, poolSize: config.databasePoolSize, log });
    try {
      await readTopology(db, url);
      return await run({ db, log }, config);
    } catch (error) {
      if (String(codeOf(error)).includes('ERR_PARSE_ARGS')) throw new StartError(USAGE);
      if (error instanceof DomainError && error.code !== 'INTERNAL')
        throw new StartError(error.message);
      if (error instanceof AnchorError) throw new StartError(error.message);
      if (isTableMissing(error))
        throw new StartError('This database is not up to date: run `npm run migrate` first.');
      throw error;
    } finally {
      await db.$disconnect();
    }
  }),
);
