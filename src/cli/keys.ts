/**
 * The keys that sign access tokens, in the database of DATABASE_URL or the embedded one:
 *   npm run keys
 *   npm run keys -- rotate|replace
 *   npm run keys -- make
 */
import { parseArgs } from 'node:util';
import type { Config } from '../config.js';
import { DomainError } from '../domain/errors.js';
import { createDb, type Db } from '../infra/db.js';
import { createLogger } from '../infra/log.js';
import { StartError } from '../infra/start-error.js';
import { makeSigningKey } from '../infra/tokens.js';
import { listKeys, replaceKeys, rotateKeys, type KeyView } from '../services/keys.js';
import { runCommand, withDatabase } from './database.js';

const USAGE = `Usage:
  npm run keys                       lists the keys
  npm run keys -- rotate             lets the next one sign; nobody is turned away
  npm run keys -- replace            for keys that leaked: their tokens are refused within seconds
  npm run keys -- make               prints two new ones, for JWT_PRIVATE_KEYS`;

/** Two new keys, as JWT_PRIVATE_KEYS takes them. */
async function make(): Promise<number> {
  const made = await Promise.all([makeSigningKey(), makeSigningKey()]);
  const keys = made.map(({ kid, privateJwk }) => ({ ...privateJwk, kid }));
  process.stdout.write(`${JSON.stringify(keys)}\n`);
  return 0;
}

const stateOf = ({ retiredAt }: KeyView, at: number): string =>
  retiredAt === null
    ? (['signs', 'signs next'][at] ?? 'waits')
    : `is believed until ${retiredAt.toISOString()}`;

async function print(db: Db): Promise<void> {
  for (const [at, key] of (await listKeys(db)).entries())
    process.stdout.write(`${key.kid}  ${key.createdAt.toISOString()}  ${stateOf(key, at)}\n`);
}

async function keep(command: string, databaseUrl: string, config: Config): Promise<number> {
  const { keys: configured, accessTtlSeconds } = config.tokens;
  if (configured !== null)
    throw new StartError(
      'JWT_PRIVATE_KEYS is set: the keys are kept there. The first one signs; put a new one at the end, and first when every process knows it.',
    );
  const log = createLogger({ level: 'warn', format: 'pretty', toStderr: true });
  const db = createDb({ url: databaseUrl, poolSize: 2, log });
  try {
    if (command === 'rotate') await rotateKeys(db, { accessTtlSeconds });
    if (command === 'replace') await replaceKeys(db);
    await print(db);
    return 0;
  } catch (error) {
    throw error instanceof DomainError ? new StartError(error.message) : error;
  } finally {
    await db.$disconnect();
  }
}

await runCommand(() => {
  const { positionals } = parseArgs({ allowPositionals: true });
  const [command = 'list', ...rest] = positionals;
  if (rest.length > 0 || !['list', 'rotate', 'replace', 'make'].includes(command))
    throw new StartError(USAGE);
  if (command === 'make') return make();
  return withDatabase({ create: false }, (url, config) => keep(command, url, config));
});
