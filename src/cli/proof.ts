import { readFile } from 'node:fs/promises';
import type { App } from '../services/app.js';
import type { Config } from '../config.js';
import { messageOf } from '../domain/errors.js';
import { createDb } from '../infra/db.js';
import { createLogger } from '../infra/log.js';
import { onOneLine } from '../infra/log-text.js';
import { StartError } from '../infra/start-error.js';
import { compareWithAnchor, openAnchor, type OpenAnchor } from '../services/anchors/compare.js';
import { listAnchorKeys, parseAnchorKeys } from '../services/anchors/keys.js';
import { newestAnchorIn } from '../services/anchors/newest.js';
import { AnchorError, type AnchorKey } from '../services/anchors/statement.js';
import { checkLedger, type LedgerHealth } from '../services/reconciliation/reconcile.js';

type Facts = Pick<App, 'db' | 'log'>;

/** Escapes control characters, because users write reasons and addresses, and could control the operator's terminal. */
export const print = (line: string): void => void process.stdout.write(`${onOneLine(line)}\n`);

/**
 * Prints one line for each invariant, with a sample of its violations, and then a line of totals.
 * @param seconds how long the check took
 */
export function printHealth(health: LedgerHealth, seconds: number): void {
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

export interface AnchorOptions {
  readonly anchor: string | undefined;
  readonly key: string | undefined;
}

/** The keys that are trusted: those of a file that was kept outside the database, or those of the database. */
export async function keysOf(
  facts: Facts,
  path: string | undefined,
): Promise<readonly AnchorKey[]> {
  if (path === undefined) return listAnchorKeys(facts.db);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new StartError(`${path} cannot be read: ${messageOf(error)}`);
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

/** Opens the file of an anchor, if one is named. @throws AnchorError */
export async function anchorOf(
  facts: Facts,
  { anchor, key }: AnchorOptions,
): Promise<OpenAnchor | null> {
  return anchor === undefined ? null : openAnchor(anchor, await keysOf(facts, key));
}

/**
 * Checks the ledger, compares it with an anchor, and prints both.
 * @returns the exit code: 0 when everything is as it must be, otherwise 1
 */
export async function proveLedger(
  facts: Facts,
  anchor: OpenAnchor | null,
  userId?: string,
): Promise<number> {
  const startedAt = performance.now();
  const health = await checkLedger(facts, { userId });
  printHealth(health, (performance.now() - startedAt) / 1000);
  const differences = anchor === null ? 0 : await printDifferences(facts, anchor, userId);
  return health.ok && differences === 0 ? 0 : 1;
}

/**
 * As `proveLedger`, for a database. Without `anchor`, the newest file in ANCHOR_DIR is taken, if there is one.
 * @throws StartError when the file of the anchor is refused
 */
export async function proveDatabase(
  databaseUrl: string,
  config: Pick<Config, 'databasePoolSize' | 'anchors'>,
  { anchor, key }: AnchorOptions,
): Promise<number> {
  const log = createLogger({ level: 'error', format: 'json', toStderr: true });
  const db = createDb({ url: databaseUrl, poolSize: config.databasePoolSize, log });
  const { folder } = config.anchors;
  const path = anchor ?? (folder === null ? null : await newestAnchorIn(folder));
  try {
    if (path === null)
      print('There is no anchor to compare with: name one with --anchor, or set ANCHOR_DIR.');
    const opened = await anchorOf({ db, log }, { anchor: path ?? undefined, key });
    return await proveLedger({ db, log }, opened);
  } catch (error) {
    throw error instanceof AnchorError ? new StartError(error.message) : error;
  } finally {
    await db.$disconnect();
  }
}
