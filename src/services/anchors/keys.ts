import { calculateJwkThumbprint, type JWK } from 'jose';
import { transact, type Db, type Tx } from '../../infra/db.js';
import type { Logger } from '../../infra/log.js';
import { makeSigningKey, type StoredKey } from '../../infra/tokens.js';
import { auditRetiredKeys } from '../keys/retired-keys.js';
import {
  insertAnchorKey,
  lockAnchorKeys,
  readAnchorKeys,
  retireStoredKeys,
  type AnchorKeyRow,
} from './keys.sql.js';
import { AnchorError, type AnchorKey } from './statement.js';

/** How old the published keys may be when they are asked for. */
const RELOAD_MS = 10_000;

/** The keys that sign anchors. They sign no access tokens, and access tokens signed with them are refused. */
export interface AnchorKeys {
  /** The key that signs now. */
  signing(): Promise<StoredKey>;
  /**
   * All keys that ever signed, as JSON Web Keys, for the published set. Never rejects: the last known set is returned.
   */
  publicKeys(): Promise<JWK[]>;
}

/** Makes a key whose id is its thumbprint (RFC 7638), so that the id identifies the key. */
export async function makeAnchorKey(): Promise<StoredKey> {
  const { privateJwk } = await makeSigningKey();
  return { kid: await calculateJwkThumbprint(privateJwk), privateJwk };
}

/** The public members of a key. */
export const publicPartOf = ({ kty, crv, x }: JWK): JWK => ({ kty, crv, x }) as JWK;

/**
 * Opens the configured keys, the first of which signs, or the one in the database. The public part of each key is kept
 * in the database for ever. The first start makes a key, and concurrent first starts make only one.
 */
export async function openAnchorKeys(
  db: Db,
  log: Logger,
  configured: readonly JWK[] | null,
): Promise<AnchorKeys> {
  const own = configured === null ? null : await Promise.all(configured.map(named));
  await (own === null ? ensureStoredKey(db) : keepPublicParts(db, own));
  let published = await readPublished(db);
  let readAt = performance.now();
  const reload = async (): Promise<void> => {
    readAt = performance.now();
    try {
      published = await readPublished(db);
    } catch (error) {
      log.warn({ event: 'anchor-keys-not-read', err: error }, 'anchor keys not read');
    }
  };
  return {
    signing: async () => {
      const key = own?.[0] ?? (await storedKey(db));
      // A key that another process has just made is published before a statement that it signs.
      if (!published.some(({ kid }) => kid === key.kid)) await reload();
      return key;
    },
    publicKeys: async () => {
      if (performance.now() - readAt > RELOAD_MS) await reload();
      return published;
    },
  };
}

const named = async (privateJwk: JWK): Promise<StoredKey> => ({
  kid: await calculateJwkThumbprint(privateJwk),
  privateJwk,
});

const readPublished = async (db: Db): Promise<JWK[]> =>
  (await readAnchorKeys(db)).map(({ kid, publicJwk }) => ({
    ...publicJwk,
    kid,
    alg: 'EdDSA',
    use: 'sig',
  }));

async function storedKey(db: Db): Promise<StoredKey> {
  const found = async (): Promise<StoredKey | undefined> => {
    const row = (await readAnchorKeys(db)).find(({ privateJwk }) => privateJwk !== null);
    return row?.privateJwk ? { kid: row.kid, privateJwk: row.privateJwk } : undefined;
  };
  const first = await found();
  if (first !== undefined) return first;
  await ensureStoredKey(db);
  const made = await found();
  if (made === undefined) throw new Error('There is no key to sign the anchor with.');
  return made;
}

async function ensureStoredKey(db: Db): Promise<void> {
  const isThere = (rows: readonly AnchorKeyRow[]): boolean =>
    rows.some(({ privateJwk }) => privateJwk !== null);
  if (isThere(await readAnchorKeys(db))) return;
  const key = await makeAnchorKey();
  await transact(db, async (tx) => {
    await lockAnchorKeys(tx);
    if (!isThere(await readAnchorKeys(tx))) await insert(tx, key, key.privateJwk);
  });
}

/** Retires the private keys in the database, because with them the database's owner could sign anchors. */
async function keepPublicParts(db: Db, keys: readonly StoredKey[]): Promise<void> {
  await transact(db, async (tx) => {
    await lockAnchorKeys(tx);
    for (const key of keys) await insert(tx, key, null);
    const madeKid = keys[0]?.kid ?? '';
    await auditRetiredKeys(tx, 'ANCHOR_PRIVATE_KEYS', await retireStoredKeys(tx), { madeKid });
  });
}

const insert = (tx: Tx, { kid, privateJwk }: StoredKey, kept: JWK | null): Promise<number> =>
  insertAnchorKey(tx, { kid, publicJwk: publicPartOf(privateJwk), privateJwk: kept });

/** Makes a new key and destroys the private part of the one that signed. Old anchors can still be verified. */
export async function rotateAnchorKey(db: Db): Promise<void> {
  const key = await makeAnchorKey();
  await transact(db, async (tx) => {
    await lockAnchorKeys(tx);
    const retired = await retireStoredKeys(tx);
    await insert(tx, key, key.privateJwk);
    await auditRetiredKeys(tx, 'keys rotate-anchor', retired, { madeKid: key.kid });
  });
}

/** All keys that have signed anchors or sign them now, without their private parts. */
export const listAnchorKeys = async (
  db: Db,
): Promise<(AnchorKey & { readonly createdAt: Date })[]> =>
  (await readAnchorKeys(db)).map(({ privateJwk: _secret, ...key }) => key);

/**
 * Parses keys that were kept outside of the database: a JSON Web Key, or a published set of them. Keys of a set whose
 * id is not their thumbprint sign access tokens, and are left out.
 * @throws AnchorError
 */
export async function parseAnchorKeys(text: string): Promise<AnchorKey[]> {
  try {
    const parsed = JSON.parse(text) as JWK & { keys?: JWK[] };
    const jwks = (parsed.keys ?? [parsed]).filter(({ crv }) => crv === 'Ed25519');
    const keys = await Promise.all(
      jwks.map(async (jwk) => ({
        kid: await calculateJwkThumbprint(jwk),
        publicJwk: publicPartOf(jwk),
        retiredAt: null,
      })),
    );
    return keys.filter(({ kid }, at) => parsed.keys === undefined || kid === jwks[at]?.kid);
  } catch (error) {
    throw new AnchorError('The file of the key is neither a JSON Web Key nor a set of them.', {
      cause: error,
    });
  }
}
