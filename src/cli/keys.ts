/**
 * The keys that sign access tokens, the addresses of files, and anchors of the ledger, in the database of DATABASE_URL
 * or the embedded one:
 *   npm run keys
 *   npm run keys -- rotate|replace
 *   npm run keys -- make
 *   npm run keys -- addresses|rotate-addresses|replace-addresses
 *   npm run keys -- anchors|rotate-anchor
 *   npm run keys -- make-anchor
 */
import '../environment.js';
import { parseArgs } from 'node:util';
import type { Config } from '../config.js';
import { DomainError } from '../domain/errors.js';
import { createDb, type Db } from '../infra/db.js';
import { createLogger } from '../infra/log.js';
import { StartError } from '../infra/start-error.js';
import { makeSigningKey } from '../infra/tokens.js';
import { listAnchorKeys, makeAnchorKey, rotateAnchorKey } from '../services/anchors/keys.js';
import { EXPORT_HOURS } from '../services/accounts/export/data-export.sql.js';
import { listKeys, replaceKeys, rotateKeys, type KeyView } from '../services/keys/keys.js';
import { listUrlKeys, replaceUrlKeys, rotateUrlKeys } from '../services/keys/url-keys.js';
import { runCommand, withDatabase } from './database.js';

const USAGE = `Usage:
  npm run keys                       lists the keys
  npm run keys -- rotate             lets the next one sign; no token is refused early
  npm run keys -- replace            for keys that leaked: their tokens are refused within seconds
  npm run keys -- make               prints two new ones, for JWT_PRIVATE_KEYS
  npm run keys -- addresses          lists the keys of the addresses of files
  npm run keys -- rotate-addresses   lets the next one sign; no address is refused early
  npm run keys -- replace-addresses  for keys that leaked: their addresses are refused within seconds
  npm run keys -- anchors            lists the keys of anchors
  npm run keys -- rotate-anchor      makes a new one and destroys the private part of the one that signed
  npm run keys -- make-anchor        prints a new one, for ANCHOR_PRIVATE_KEYS`;

/** Two new keys, as JWT_PRIVATE_KEYS takes them. */
async function make(): Promise<number> {
  const made = await Promise.all([makeSigningKey(), makeSigningKey()]);
  const keys = made.map(({ kid, privateJwk }) => ({ ...privateJwk, kid }));
  process.stdout.write(`${JSON.stringify(keys)}\n`);
  return 0;
}

async function makeAnchor(): Promise<number> {
  const { kid, privateJwk } = await makeAnchorKey();
  process.stdout.write(`${JSON.stringify([{ ...privateJwk, kid }])}\n`);
  return 0;
}

type Aged = Pick<KeyView, 'createdAt' | 'retiredAt'>;

const stateOf = ({ retiredAt }: Aged, at: number): string =>
  retiredAt === null
    ? (['signs', 'signs next'][at] ?? 'waits')
    : `is valid until ${retiredAt.toISOString()}`;

const printKey = (name: string, key: Aged, at: number): unknown =>
  process.stdout.write(`${name}  ${key.createdAt.toISOString()}  ${stateOf(key, at)}\n`);

async function keepUrlKeys(command: string, databaseUrl: string, config: Config): Promise<number> {
  const lifetimeSeconds = Math.max(config.tokens.urlTtlSeconds, EXPORT_HOURS * 3_600);
  return withKeys(databaseUrl, async (db) => {
    if (command === 'rotate-addresses') await rotateUrlKeys(db, { lifetimeSeconds });
    if (command === 'replace-addresses') await replaceUrlKeys(db);
    for (const [at, key] of (await listUrlKeys(db)).entries()) printKey(key.name, key, at);
  });
}

async function print(db: Db): Promise<void> {
  for (const [at, key] of (await listKeys(db)).entries()) printKey(key.kid, key, at);
}

async function printAnchorKeys(db: Db): Promise<void> {
  for (const { kid, createdAt, retiredAt } of await listAnchorKeys(db)) {
    const until = retiredAt === null ? 'signs anchors' : `signed until ${retiredAt.toISOString()}`;
    process.stdout.write(`${kid}  ${createdAt.toISOString()}  ${until}\n`);
  }
}

async function keepAnchorKeys(
  command: string,
  databaseUrl: string,
  config: Config,
): Promise<number> {
  if (command === 'rotate-anchor' && config.anchors.keys !== null)
    throw new StartError(
      'ANCHOR_PRIVATE_KEYS is set: the key is kept there. Put a new one in front; the public part of the old one stays published.',
    );
  return withKeys(databaseUrl, async (db) => {
    if (command === 'rotate-anchor') await rotateAnchorKey(db);
    await printAnchorKeys(db);
  });
}

async function keep(command: string, databaseUrl: string, config: Config): Promise<number> {
  const { keys: configured, accessTtlSeconds } = config.tokens;
  if (configured !== null)
    throw new StartError(
      'JWT_PRIVATE_KEYS is set: the keys are kept there. The first one signs: put the second one first and a new one at the end, keep the old one until its tokens have expired, and start the processes again one after the other.',
    );
  return withKeys(databaseUrl, async (db) => {
    if (command === 'rotate') await rotateKeys(db, { accessTtlSeconds });
    if (command === 'replace') await replaceKeys(db);
    await print(db);
  });
}

async function withKeys(databaseUrl: string, work: (db: Db) => Promise<void>): Promise<number> {
  const log = createLogger({ level: 'warn', format: 'pretty', toStderr: true });
  const db = createDb({ url: databaseUrl, poolSize: 2, log });
  try {
    await work(db);
    return 0;
  } catch (error) {
    throw error instanceof DomainError ? new StartError(error.message) : error;
  } finally {
    await db.$disconnect();
  }
}

const OF_TOKENS = ['list', 'rotate', 'replace', 'make'];
const OF_ADDRESSES = ['addresses', 'rotate-addresses', 'replace-addresses'];
const OF_ANCHORS = ['anchors', 'rotate-anchor', 'make-anchor'];

/** Which keys a command is about. */
function workOf(command: string): typeof keep {
  if (OF_ADDRESSES.includes(command)) return keepUrlKeys;
  return OF_ANCHORS.includes(command) ? keepAnchorKeys : keep;
}

await runCommand(() => {
  const { positionals } = parseArgs({ allowPositionals: true });
  const [command = 'list', ...rest] = positionals;
  if (rest.length > 0 || ![...OF_TOKENS, ...OF_ADDRESSES, ...OF_ANCHORS].includes(command))
    throw new StartError(USAGE);
  if (command === 'make') return make();
  if (command === 'make-anchor') return makeAnchor();
  const work = workOf(command);
  return withDatabase({ create: false }, (url, config) => work(command, url, config));
});
