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
import { insertKey, lockKeys, readKeys, retireKey, type KeyRow } from './keys.sql.js';
import { LOOK_AGAIN_MS, openReloaded } from './reloaded.js';
import { auditRetiredKeys } from './retired-keys.js';

/** The key that signs and the next one, which is published before it is used. */
export const KEYS_AT_ONCE = 2;
/** After this long, every process and every cache of the published keys knows a new key. */
export const KNOWN_AFTER_SECONDS = 60;

export type KeyView = Omit<KeyRow, 'privateJwk'>;

/**
 * Opens the keys that sign access tokens: those of the configuration, or those in the database, which are read again
 * every ten seconds. A first start makes them, even if several processes start at once.
 */
export async function openKeys(
  db: Db,
  log: Logger,
  configured: readonly StoredKey[] | null,
): Promise<KeyRing> {
  if (configured !== null) return openKeyRing(configured);
  await ensureKeys(db);
  const fresh = await openReloaded(createRingReader(db), log);
  return {
    sign: async (claims, lifetime) => (await fresh()).ring.sign(claims, lifetime),
    verify: async (token) => {
      const { kids, ring } = await fresh();
      if (kids.has(nameOfKey(token) ?? '')) return ring.verify(token);
      return (await fresh({ atMostMs: LOOK_AGAIN_MS })).ring.verify(token);
    },
    publicKeys: async () => (await fresh()).ring.publicKeys(),
  };
}

interface NamedRing {
  readonly kids: ReadonlySet<string>;
  readonly ring: KeyRing;
}

/** The ring is replaced only if the keys have changed, because it caches verified tokens. */
function createRingReader(db: Db): () => Promise<NamedRing> {
  let names = '';
  let known: NamedRing | null = null;
  return async () => {
    const keys = await readKeys(db);
    if (known === null || namesOf(keys) !== names)
      known = { kids: new Set(keys.map(({ kid }) => kid)), ring: await openKeyRing(keys) };
    names = namesOf(keys);
    return known;
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
    requireKnownEverywhere(next);
    await retireKey(tx, current.kid, KNOWN_AFTER_SECONDS + accessTtlSeconds);
    await insertKey(tx, made);
    await auditRetiredKeys(tx, 'keys rotate', [current], madeKids([made]));
  });
}

/** @throws CONFLICT while some processes may not know the next key yet */
export function requireKnownEverywhere({ ageMs }: { readonly ageMs: number }): void {
  const waitSeconds = Math.ceil(KNOWN_AFTER_SECONDS - ageMs / 1000);
  if (waitSeconds > 0)
    throw conflict(
      `The next key is not known everywhere yet. Try again in ${String(waitSeconds)} s.`,
    );
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
