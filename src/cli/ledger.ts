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
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { App } from '../services/app.js';
import type { Config } from '../config.js';
import { DomainError } from '../domain/errors.js';
import { createDb, isTableMissing } from '../infra/db.js';
import { createLogger } from '../infra/log.js';
import { onOneLine } from '../infra/log-text.js';
import { StartError } from '../infra/start-error.js';
import { findUser } from '../services/accounts/people.js';
import type { UserView } from '../services/accounts/people.sql.js';
import { compareWithAnchor, openAnchor, type OpenAnchor } from '../services/anchors/compare.js';
import { listAnchorKeys, parseAnchorKeys } from '../services/anchors/keys.js';
import { proveAccount } from '../services/anchors/prove.js';
import { AnchorError, type AnchorKey } from '../services/anchors/statement.js';
import { exportAccount } from '../services/reconciliation/export.js';
import {
  checkLedger,
  reconcileCredits,
  type LedgerHealth,
} from '../services/reconciliation/reconcile.js';
import { summariseAccount } from '../services/reconciliation/summary.js';
import { repairLedger } from '../services/repairs/repair-ledger.js';
import { NIGHTLY, REPAIR_ACTION } from '../services/repairs/repair-locked.js';
import { asJournalFormat, printClosing, printJournal, writeAll } from './accounting.js';
import { runCommand, withDatabase } from './database.js';
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

/** Escapes control characters, because users write reasons and addresses, and could control the operator's terminal. */
const print = (line: string): void => void process.stdout.write(`${onOneLine(line)}\n`);

async function userOf(facts: Facts, name: string | undefined): Promise<UserView> {
  if (name === undefined) throw new StartError(USAGE);
  const wanted = name.includes('@') ? { email: name } : { id: name };
  return findUser(facts, wanted).catch((error: unknown) => {
    throw error instanceof DomainError ? new StartError(`There is no user ${name}.`) : error;
  });
}

function printHealth(health: LedgerHealth, seconds: number): void {
  const { checks, accounts, transactions, transactionsRead, isFull } = health;
  for (const { invariant, description, violations, sample } of checks) {
    print(`${violations === 0 ? 'ok  ' : 'FAIL'} ${invariant.padStart(2)}  ${description}`);
    if (violations > 0) print(`         ${String(violations)} violated:`);
    for (const line of sample) print(`         ${line}`);
  }
  const wrong = checks.filter(({ violations }) => violations > 0).length;
  print(
    `${wrong === 0 ? 'Sound' : `${String(wrong)} of ${String(checks.length)} invariants ${wrong === 1 ? 'is' : 'are'} violated`}: ` +
      `${String(accounts)} accounts, ${String(transactions)} transactions` +
      (isFull
        ? ''
        : `, of which ${String(transactionsRead)} came after the checkpoints and were read`) +
      `, ${seconds.toFixed(1)} s.`,
  );
}

interface AnchorOptions {
  readonly anchor: string | undefined;
  readonly key: string | undefined;
}

/** The keys that are trusted: those of a file that was kept outside of the database, or those of the database. */
async function keysOf(facts: Facts, path: string | undefined): Promise<readonly AnchorKey[]> {
  if (path === undefined) return listAnchorKeys(facts.db);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new StartError(`${path} cannot be read: ${(error as Error).message}`);
  });
  return parseAnchorKeys(text);
}

/** @returns how many differences there are */
async function printDifferences(
  facts: Facts,
  anchor: OpenAnchor,
  userId: string | undefined,
): Promise<number> {
  let differences = 0;
  const { at, accounts, transactions } = anchor.statement;
  print(`Compared with the anchor of ${at}, signed with the key ${anchor.key.kid}:`);
  const report = (difference: string): void => {
    differences += 1;
    print(`FAIL     ${difference}`);
  };
  const compared = await compareWithAnchor(facts, anchor, report, { userId });
  if (differences > 0) print(`${String(differences)} differences.`);
  else if (userId === undefined)
    print(
      `All ${String(accounts)} accounts, with ${String(transactions)} transactions, are as they were.`,
    );
  else if (compared === 0) print('The anchor has no account of this user: it was opened later.');
  else print('The account is as it was.');
  return differences;
}

async function verify(
  facts: Facts,
  options: AnchorOptions & { user: string | undefined; repair: boolean; dryRun: boolean },
): Promise<number> {
  if (options.key !== undefined && options.anchor === undefined) throw new StartError(USAGE);
  if (options.dryRun && !options.repair) throw new StartError(USAGE);
  const anchor =
    options.anchor === undefined
      ? null
      : await openAnchor(options.anchor, await keysOf(facts, options.key));
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
  const startedAt = performance.now();
  const health = await checkLedger(facts, { userId });
  printHealth(health, (performance.now() - startedAt) / 1000);
  const differences = anchor === null ? 0 : await printDifferences(facts, anchor, userId);
  return health.ok && differences === 0 ? 0 : 1;
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
      return await run({ db, log }, config);
    } catch (error) {
      if (String((error as { code?: unknown }).code).includes('ERR_PARSE_ARGS'))
        throw new StartError(USAGE);
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
