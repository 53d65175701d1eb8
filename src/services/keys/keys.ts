import { randomBytes } from 'node:crypto';
import { conflict } from '../../domain/errors.js';
import { transact, type Db } from '../../infra/db.js';
import type { Logger } from '../../infra/log.js';
import {
  makeSigningKey,
  nameOfKey,
  openKeyRing,
  type KeyRing,
  type StoredKey,
} from '../../infra/tokens.js';
import type { AuditDetails } from '../audit.sql.js';
import { insertKey, insertSecret, lockKeys, readKeys, retireKey, type KeyRow } from './keys.sql.js';
import { auditRetiredKeys } from './retired-keys.js';

/** The key that signs and the next one, which is published before it is used. */
const KEYS_AT_ONCE = 2;
/** How old the known keys of a process may be. */
const RELOAD_MS = 10_000;
/**
 * How old they may be when a token names an unknown key. It bounds the queries that made-up names of keys can cause.
 */
const LOOK_AGAIN_MS = 1_000;
/** After this long, every process and every cache of the published keys knows a new key. */
const KNOWN_AFTER_SECONDS = 60;

export type KeyView = Omit<KeyRow, 'privateJwk'>;

/**
 * Opens the keys that sign access tokens: those of the configuration, or those in the database, which are read again
 * every RELOAD_MS. A first start makes them, even if several processes start at once.
 */
export async function openKeys(
  db: Db,
  log: Logger,
  configured: readonly StoredKey[] | null,
): Promise<KeyRing> {
  if (configured !== null) return openKeyRing(configured);
  await ensureKeys(db);
  let keys = await readKeys(db);
  let ring = await openKeyRing(keys);
  let readAt = performance.now();
  let reading: Promise<void> | null = null;
  const reload = async (): Promise<void> => {
    try {
      const stored = await readKeys(db);
      // The ring is replaced only if the keys have changed, because it caches verified tokens.
      if (namesOf(stored) !== namesOf(keys)) ring = await openKeyRing(stored);
      keys = stored;
      readAt = performance.now();
    } catch (error) {
      // The known keys are used further. Other code reports a database that is unreachable.
      log.warn({ event: 'signing-keys-not-read', err: error }, 'signing keys not read');
    } finally {
      reading = null;
    }
  };
  const fresh = async (atMostMs = RELOAD_MS): Promise<KeyRing> => {
    if (performance.now() - readAt > atMostMs) await (reading ??= reload());
    return ring;
  };
  const isKnown = (name: string | undefined): boolean => keys.some(({ kid }) => kid === name);
  return {
    sign: async (claims, lifetime) => (await fresh()).sign(claims, lifetime),
    verify: async (token) =>
      (await fresh(isKnown(nameOfKey(token)) ? RELOAD_MS : LOOK_AGAIN_MS)).verify(token),
    publicKeys: async () => (await fresh()).publicKeys(),
  };
}

const namesOf = (keys: readonly StoredKey[]): string => keys.map(({ kid }) => kid).join(' ');

const living = (keys: readonly KeyRow[]): KeyRow[] =>
  keys.filter(({ retiredAt }) => retiredAt === null);

/** Makes the key that signs and the next one, as far as they are missing. */
async function ensureKeys(db: Db): Promise<void> {
  if (living(await readKeys(db)).length >= KEYS_AT_ONCE) return;
  const made = await Promise.all(Array.from({ length: KEYS_AT_ONCE }, makeSigningKey));
  await transact(db, async (tx) => {
    await lockKeys(tx);
    const missing = KEYS_AT_ONCE - living(await readKeys(tx)).length;
    for (const key of made.slice(0, Math.max(0, missing))) await insertKey(tx, key);
  });
}

/** The keys that are valid: the one that signs, the next one, and then those that have signed before. */
export async function listKeys(db: Db): Promise<KeyView[]> {
  const keys = await readKeys(db);
  return keys.map(({ privateJwk: _secret, ...key }) => key);
}

/**
 * Lets the next key sign, and makes a new next one. The old key is valid until its last token has expired, so that no
 * token is refused early.
 * @throws CONFLICT while some processes may not know the next key yet
 */
export async function rotateKeys(
  db: Db,
  { accessTtlSeconds }: { accessTtlSeconds: number },
): Promise<void> {
  const made = await makeSigningKey();
  await ensureKeys(db);
  await transact(db, async (tx) => {
    await lockKeys(tx);
    const [current, next] = living(await readKeys(tx));
    if (current === undefined || next === undefined) throw new Error('There must be two keys.');
    const waitSeconds = Math.ceil(KNOWN_AFTER_SECONDS - next.ageMs / 1000);
    if (waitSeconds > 0)
      throw conflict(
        `The next key is not known everywhere yet. Try again in ${String(waitSeconds)} s.`,
      );
    await retireKey(tx, current.kid, KNOWN_AFTER_SECONDS + accessTtlSeconds);
    await insertKey(tx, made);
    await auditRetiredKeys(tx, 'keys rotate', [current], madeKids([made]));
  });
}

/** Replaces keys that have leaked. All tokens are refused within seconds, and all clients must refresh. */
export async function replaceKeys(db: Db): Promise<void> {
  const made = await Promise.all(Array.from({ length: KEYS_AT_ONCE }, makeSigningKey));
  await transact(db, async (tx) => {
    await lockKeys(tx);
    const leaked = await readKeys(tx);
    for (const { kid } of leaked) await retireKey(tx, kid, 0);
    for (const key of made) await insertKey(tx, key);
    await auditRetiredKeys(tx, 'keys replace', leaked, madeKids(made));
  });
}

const madeKids = (made: readonly StoredKey[]): AuditDetails => ({ madeKids: namesOf(made) });

/** Loads 32 random bytes that all processes of this installation share, and makes them the first time. */
export async function loadSecret(db: Db, name: string): Promise<Uint8Array> {
  const value = new Uint8Array(randomBytes(32));
  await insertSecret(db, name, value);
  return (await db.secret.findUniqueOrThrow({ where: { name } })).value;
}
