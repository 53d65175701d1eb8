import type { Db, Reader, Tx } from '../infra/db.js';
import type { StoredKey } from '../infra/tokens.js';

export interface KeyRow extends StoredKey {
  readonly createdAt: Date;
  /** From when on it is not believed any more; null for the one that signs and the one that comes next. */
  readonly retiredAt: Date | null;
  /** By the database's clock. */
  readonly ageMs: number;
}

/** The keys that are believed: the one that signs, the next one, and then those that did sign. */
export function readKeys(db: Reader): Promise<KeyRow[]> {
  return db.$queryRaw<KeyRow[]>`
    SELECT kid, private_jwk AS "privateJwk", created_at AS "createdAt", retired_at AS "retiredAt",
           (extract(epoch FROM clock_timestamp() - created_at) * 1000)::float8 AS "ageMs"
    FROM signing_keys WHERE retired_at IS NULL OR retired_at > clock_timestamp()
    ORDER BY retired_at IS NOT NULL, created_at, kid`;
}

/** Nobody else makes or retires a key until the transaction ends; reading goes on. */
export const lockKeys = (tx: Tx): Promise<number> =>
  tx.$executeRaw`LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE`;

export const insertKey = (tx: Tx, { kid, privateJwk }: StoredKey): Promise<number> =>
  tx.$executeRaw`
    INSERT INTO signing_keys (kid, private_jwk, created_at)
    VALUES (${kid}, ${JSON.stringify(privateJwk)}::jsonb, date_trunc('milliseconds', clock_timestamp()))`;

/** Index: signing_keys_pkey. */
export const retireKey = (tx: Tx, kid: string, inSeconds: number): Promise<number> =>
  tx.$executeRaw`
    UPDATE signing_keys SET retired_at = clock_timestamp() + make_interval(secs => ${inSeconds})
    WHERE kid = ${kid}`;

/** The first one of a name stays. Index: secrets_pkey. */
export const insertSecret = (
  db: Pick<Db, '$executeRaw'>,
  name: string,
  value: Uint8Array<ArrayBuffer>,
): Promise<number> =>
  db.$executeRaw`
    INSERT INTO secrets (name, value) VALUES (${name}, ${value}) ON CONFLICT (name) DO NOTHING`;
