import type { Reader, Tx } from '../../infra/db.js';
import type { StoredKey } from '../../infra/tokens.js';

export interface KeyRow extends StoredKey {
  readonly createdAt: Date;
  /** Tokens of the key are refused from this instant on. Null for the key that signs and for the next one. */
  readonly retiredAt: Date | null;
  /** By the database's clock. */
  readonly ageMs: number;
}

/** The keys that are valid: the one that signs, the next one, and then those that have signed before. */
export function readKeys(db: Reader): Promise<KeyRow[]> {
  return db.$queryRaw<KeyRow[]>`
    SELECT kid, private_jwk AS "privateJwk", created_at AS "createdAt", retired_at AS "retiredAt",
           (extract(epoch FROM clock_timestamp() - created_at) * 1000)::float8 AS "ageMs"
    FROM signing_keys WHERE retired_at IS NULL OR retired_at > clock_timestamp()
    ORDER BY retired_at IS NOT NULL, created_at, kid`;
}

/** Blocks other processes from making or retiring keys until the transaction ends. Reads are not blocked. */
export const lockKeys = (tx: Tx): Promise<number> =>
  tx.$executeRaw`LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE`;

/** Stores a signing key. Its time is the database’s, in whole milliseconds, because a Date has no finer part. */
export const insertKey = (tx: Tx, { kid, privateJwk }: StoredKey): Promise<number> =>
  tx.$executeRaw`
    INSERT INTO signing_keys (kid, private_jwk, created_at)
    VALUES (${kid}, ${JSON.stringify(privateJwk)}::jsonb, date_trunc('milliseconds', clock_timestamp()))`;

/** Retires a key after `inSeconds`. Index: signing_keys_pkey. */
export const retireKey = (tx: Tx, kid: string, inSeconds: number): Promise<number> =>
  tx.$executeRaw`
    UPDATE signing_keys SET retired_at = clock_timestamp() + make_interval(secs => ${inSeconds})
    WHERE kid = ${kid}`;
