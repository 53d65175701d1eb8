import type { Reader, Tx } from '../../infra/db.js';

export interface UrlKeyRow {
  readonly name: string;
  readonly value: Uint8Array;
  readonly createdAt: Date;
  /** Addresses of the key are refused from this instant on. Null for the key that signs and for the next one. */
  readonly retiredAt: Date | null;
  /** By the database's clock. */
  readonly ageMs: number;
}

/** The keys that are valid: the one that signs, the next one, and then those that have signed before. */
export function readUrlKeys(db: Reader): Promise<UrlKeyRow[]> {
  return db.$queryRaw<UrlKeyRow[]>`
    SELECT name, value, created_at AS "createdAt", retired_at AS "retiredAt",
           (extract(epoch FROM clock_timestamp() - created_at) * 1000)::float8 AS "ageMs"
    FROM secrets
    WHERE name LIKE 'url-signing%' AND (retired_at IS NULL OR retired_at > clock_timestamp())
    ORDER BY retired_at IS NOT NULL, created_at, name`;
}

/** Blocks other processes from making or retiring keys until the transaction ends. Reads are not blocked. */
export const lockUrlKeys = (tx: Tx): Promise<number> =>
  tx.$executeRaw`LOCK TABLE secrets IN SHARE ROW EXCLUSIVE MODE`;

/** Index: secrets_pkey. */
export const insertUrlKey = (
  tx: Tx,
  name: string,
  value: Uint8Array<ArrayBuffer>,
): Promise<number> =>
  tx.$executeRaw`
    INSERT INTO secrets (name, value, created_at)
    VALUES (${name}, ${value}, date_trunc('milliseconds', clock_timestamp()))
    ON CONFLICT (name) DO NOTHING`;

/** Retires a key after `inSeconds`. Index: secrets_pkey. */
export const retireUrlKey = (tx: Tx, name: string, inSeconds: number): Promise<number> =>
  tx.$executeRaw`
    UPDATE secrets SET retired_at = clock_timestamp() + make_interval(secs => ${inSeconds})
    WHERE name = ${name}`;

/**
 * Retires a leaked key at once, and overwrites it, so that a process of an earlier release, which ignores that it is
 * retired, does not sign with it after its next start. Index: secrets_pkey.
 */
export const destroyUrlKey = (
  tx: Tx,
  name: string,
  value: Uint8Array<ArrayBuffer>,
): Promise<number> =>
  tx.$executeRaw`
    UPDATE secrets SET retired_at = clock_timestamp(), value = ${value} WHERE name = ${name}`;
