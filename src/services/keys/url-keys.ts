import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { transact, type Db, type Tx } from '../../infra/db.js';
import type { Logger } from '../../infra/log.js';
import { KEYS_AT_ONCE, KNOWN_AFTER_SECONDS, requireKnownEverywhere } from './keys.js';
import { LOOK_AGAIN_MS, openReloaded } from './reloaded.js';
import { auditRetiredKeys } from './retired-keys.js';
import {
  destroyUrlKey,
  insertUrlKey,
  lockUrlKeys,
  readUrlKeys,
  retireUrlKey,
  type UrlKeyRow,
} from './url-keys.sql.js';

/** The keys that sign the addresses of files. There are always two, as for access tokens. */
export interface UrlKeys {
  /** HMAC-SHA-256 with the key that signs. */
  sign(text: string): Promise<Buffer>;
  /** Whether one of the valid keys has signed the text. It also works while the database is away. */
  isSigned(text: string, signature: Buffer): Promise<boolean>;
}

export type UrlKeyView = Omit<UrlKeyRow, 'value'>;

/** How long an address waits for a database that does not answer. Then the keys that are known are used. */
const WAIT_MS = 500;
/** The name of the first key. Processes of an earlier release know no other one. */
const FIRST_NAME = 'url-signing';
const KEY_BYTES = 32;

const hmac = (key: Uint8Array, text: string): Buffer =>
  createHmac('sha256', key).update(text).digest();

const isEqual = (one: Buffer, other: Buffer): boolean =>
  one.length === other.length && timingSafeEqual(one, other);

/** Opens the keys in the database, which are read again every ten seconds. A first start makes them. */
export async function openUrlKeys(db: Db, log: Logger): Promise<UrlKeys> {
  await ensureUrlKeys(db);
  const fresh = await openReloaded(() => readUrlKeys(db), log);
  return {
    sign: async (text) => {
      const [signing] = await fresh();
      if (signing === undefined) throw new Error('There is no key to sign addresses with.');
      return hmac(signing.value, text);
    },
    isSigned: async (text, signature) => {
      const fits = ({ value }: UrlKeyRow): boolean => isEqual(signature, hmac(value, text));
      const known = await fresh({ waitMs: WAIT_MS });
      if (known.some(fits)) return true;
      // Another process may sign with a key that this one has not read yet.
      const newest = await fresh({ atMostMs: LOOK_AGAIN_MS, waitMs: WAIT_MS });
      return newest !== known && newest.some(fits);
    },
  };
}

const living = (keys: readonly UrlKeyRow[]): UrlKeyRow[] =>
  keys.filter(({ retiredAt }) => retiredAt === null);

/** Makes the key that signs and the next one, as far as they are missing. */
async function ensureUrlKeys(db: Db): Promise<void> {
  if (living(await readUrlKeys(db)).length >= KEYS_AT_ONCE) return;
  await transact(db, async (tx) => {
    await lockUrlKeys(tx);
    const { length } = living(await readUrlKeys(tx));
    // A database in which the first key was retired has two others.
    if (length === 0) await make(tx, FIRST_NAME);
    for (let count = Math.max(1, length); count < KEYS_AT_ONCE; count += 1) await make(tx);
  });
}

const newName = (): string => `${FIRST_NAME}-${randomBytes(12).toString('base64url')}`;

const newValue = (): Uint8Array<ArrayBuffer> => new Uint8Array(randomBytes(KEY_BYTES));

/** @returns its name */
async function make(tx: Tx, name = newName()): Promise<string> {
  await insertUrlKey(tx, name, newValue());
  return name;
}

/** The keys that are valid: the one that signs, the next one, and then those that have signed before. */
export async function listUrlKeys(db: Db): Promise<UrlKeyView[]> {
  const keys = await readUrlKeys(db);
  return keys.map(({ value: _secret, ...key }) => key);
}

/**
 * Lets the next key sign, and makes a new next one. The old key is valid until its last address has expired.
 * @param lifetimeSeconds the longest lifetime of an address
 * @throws CONFLICT while some processes may not know the next key yet
 */
export async function rotateUrlKeys(
  db: Db,
  { lifetimeSeconds }: { lifetimeSeconds: number },
): Promise<void> {
  await ensureUrlKeys(db);
  await transact(db, async (tx) => {
    await lockUrlKeys(tx);
    const [current, next] = living(await readUrlKeys(tx));
    if (current === undefined || next === undefined) throw new Error('There must be two keys.');
    requireKnownEverywhere(next);
    await retireUrlKey(tx, current.name, KNOWN_AFTER_SECONDS + lifetimeSeconds);
    await audit(tx, 'keys rotate-addresses', [current], [await make(tx)]);
  });
}

/**
 * Replaces keys that have leaked, and destroys them. All addresses are refused within seconds, and clients must ask for
 * new ones. A process of an earlier release accepts the leaked key until it is restarted.
 */
export async function replaceUrlKeys(db: Db): Promise<void> {
  await transact(db, async (tx) => {
    await lockUrlKeys(tx);
    const leaked = await readUrlKeys(tx);
    for (const { name } of leaked) await destroyUrlKey(tx, name, newValue());
    const made = [await make(tx), await make(tx)];
    await audit(tx, 'keys replace-addresses', leaked, made);
  });
}

const audit = (
  tx: Tx,
  action: string,
  retired: readonly UrlKeyRow[],
  made: readonly string[],
): Promise<void> =>
  auditRetiredKeys(
    tx,
    action,
    retired.map(({ name }) => ({ kid: name })),
    { madeKids: made.join(' ') },
  );
