import type { Db } from '../../infra/db.js';

/** A batch of what has lapsed. @returns how many rows it deleted */
export type Prune = (db: Pick<Db, '$executeRaw'>, limit: number) => Promise<number>;

/**
 * A device that was signed out is kept until it would have lapsed: the address that it was used from is
 * known to be its owner's. Index: sessions_expires_at_idx.
 */
export const pruneSessions: Prune = (db, limit) => db.$executeRaw`
  DELETE FROM sessions WHERE expires_at < now() AND (user_id, id) IN (
    SELECT user_id, id FROM sessions WHERE expires_at < now() ORDER BY expires_at LIMIT ${limit}
    FOR UPDATE SKIP LOCKED)`;

/** Index: email_tokens_expires_at_idx. */
export const pruneEmailTokens: Prune = (db, limit) => db.$executeRaw`
  DELETE FROM email_tokens WHERE (user_id, hash) IN (
    SELECT user_id, hash FROM email_tokens WHERE expires_at < now() ORDER BY expires_at LIMIT ${limit}
    FOR UPDATE SKIP LOCKED)`;

/** Reads the whole table, of which nearly everything has lapsed. */
export const pruneRateLimits: Prune = (db, limit) => db.$executeRaw`
  DELETE FROM rate_limits WHERE key IN (
    SELECT key FROM rate_limits WHERE expire < extract(epoch FROM now()) * 1000 LIMIT ${limit}
    FOR UPDATE SKIP LOCKED)`;
