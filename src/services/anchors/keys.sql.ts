import type { JWK } from 'jose';
import type { Reader, Tx } from '../../infra/db.js';

export interface AnchorKeyRow {
  readonly kid: string;
  readonly publicJwk: JWK;
  /** Null for a key whose private part is configured, and for a retired one. */
  readonly privateJwk: JWK | null;
  readonly createdAt: Date;
  readonly retiredAt: Date | null;
}

/** All keys that ever signed, newest first. There are few. */
export function readAnchorKeys(db: Reader): Promise<AnchorKeyRow[]> {
  return db.$queryRaw<AnchorKeyRow[]>`
    SELECT kid, public_jwk AS "publicJwk", private_jwk AS "privateJwk", created_at AS "createdAt",
           retired_at AS "retiredAt"
    FROM anchor_keys ORDER BY created_at DESC, kid`;
}

/** Blocks other processes from making or retiring keys until the transaction ends. Reads are not blocked. */
export const lockAnchorKeys = (tx: Tx): Promise<number> =>
  tx.$executeRaw`LOCK TABLE anchor_keys IN SHARE ROW EXCLUSIVE MODE`;

/** Inserts a key, unless it exists. Index: anchor_keys_pkey. */
export const insertAnchorKey = (
  tx: Tx,
  key: { kid: string; publicJwk: JWK; privateJwk: JWK | null },
): Promise<number> =>
  tx.$executeRaw`
    INSERT INTO anchor_keys (kid, public_jwk, private_jwk, created_at)
    VALUES (${key.kid}, ${JSON.stringify(key.publicJwk)}::jsonb,
      ${key.privateJwk === null ? null : JSON.stringify(key.privateJwk)}::jsonb, ledger_now())
    ON CONFLICT (kid) DO NOTHING`;

/**
 * Retires the keys in the database and destroys their private parts. It uses the clock of anchors, so that anchors from
 * before the retirement can be told from later ones.
 */
export function retireStoredKeys(tx: Tx): Promise<{ kid: string }[]> {
  return tx.$queryRaw<{ kid: string }[]>`
    UPDATE anchor_keys SET retired_at = ledger_now(), private_jwk = NULL
    WHERE private_jwk IS NOT NULL RETURNING kid`;
}
