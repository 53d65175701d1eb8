import { skippingLocked } from '../../infra/citus/locks.js';
import { isDistributed } from '../../infra/citus/placement.js';
import { Prisma, type Db } from '../../infra/db.js';

/** Deletes or marks one batch of expired rows. @returns the number of rows */
export type Prune = (db: Pick<Db, '$executeRaw'>, limit: number) => Promise<number>;

/**
 * Deletes expired sessions. A session that was signed out stays until its expiry, because its address counts as one
 * that the owner has used. Index: sessions_expires_at_idx.
 */
export const pruneSessions: Prune = (db, limit) => db.$executeRaw`
  DELETE FROM sessions WHERE expires_at < now() AND (user_id, id) IN (
    SELECT user_id, id FROM sessions WHERE expires_at < now() ORDER BY expires_at LIMIT ${limit}
    ${skippingLocked(db)})`;

/** Deletes expired mailed tokens. Index: email_tokens_expires_at_idx. */
export const pruneEmailTokens: Prune = (db, limit) => db.$executeRaw`
  DELETE FROM email_tokens WHERE (user_id, hash) IN (
    SELECT user_id, hash FROM email_tokens WHERE expires_at < now() ORDER BY expires_at LIMIT ${limit}
    ${skippingLocked(db)})`;

/**
 * Deletes changes of addresses a week after their links have expired, confirmed or not, because they have the old address.
 * Index: email_changes_expires_at_idx.
 */
export const pruneEmailChanges: Prune = (db, limit) => db.$executeRaw`
  DELETE FROM email_changes WHERE user_id IN (
    SELECT user_id FROM email_changes WHERE expires_at < now() - interval '7 days' ORDER BY expires_at LIMIT ${limit}
    ${skippingLocked(db)}) AND expires_at < now() - interval '7 days'`;

/**
 * Deletes the addresses of mails about a change when the queue has given these mails up.
 * Index: former_emails_created_at_idx.
 */
export const pruneFormerEmails: Prune = (db, limit) => db.$executeRaw`
  DELETE FROM former_emails WHERE (user_id, id) IN (
    SELECT user_id, id FROM former_emails WHERE created_at < now() - interval '8 days' ORDER BY created_at LIMIT ${limit}
    ${skippingLocked(db)})`;

/**
 * Deletes the rows of archives that have expired. The sweep removes their files. Index: data_exports_expires_at_idx.
 */
export const pruneDataExports: Prune = (db, limit) => db.$executeRaw`
  DELETE FROM data_exports WHERE (user_id, id) IN (
    SELECT user_id, id FROM data_exports WHERE expires_at < now() ORDER BY expires_at LIMIT ${limit}
    ${skippingLocked(db)})`;

/** Deletes expired counters of limits. Reads the whole table, because nearly all of it has expired. */
export const pruneRateLimits: Prune = (db, limit) => db.$executeRaw`
  DELETE FROM rate_limits WHERE key IN (
    SELECT key FROM rate_limits WHERE expire < extract(epoch FROM now()) * 1000 LIMIT ${limit}
    FOR UPDATE SKIP LOCKED)`;

/** The condition that neither a story nor a narration refers to a text. */
const UNUSED = Prisma.sql`NOT EXISTS (SELECT FROM stories s WHERE s.text_hash = t.hash)
  AND NOT EXISTS (SELECT FROM audios a WHERE a.text_hash = t.hash)`;

/**
 * Marks texts that have become unused, because their story has another text now, or all users who paid for them have
 * left. Reads the narrations once for each batch. Does nothing in a distributed database, which cannot change a table that
 * every server has a copy of by what only some have. @returns the number of texts. Index: stories_text_hash_idx.
 */
export const markUnusedTexts: Prune = async (db, limit) =>
  isDistributed(db)
    ? 0
    : db.$executeRaw`
  UPDATE story_texts SET unused_since = now() WHERE hash IN (
    SELECT hash FROM story_texts t WHERE unused_since IS NULL AND ${UNUSED} LIMIT ${limit}
    ${skippingLocked(db)})`;

/**
 * Deletes texts that have been unused for thirty days. By then a narration that was requested while its story was
 * edited has been written. A text that is used again stays. Index: story_texts_unused.
 */
export const pruneTexts: Prune = async (db, limit) =>
  isDistributed(db)
    ? 0
    : db.$executeRaw`
  DELETE FROM story_texts WHERE hash IN (
    SELECT hash FROM story_texts t WHERE unused_since < now() - interval '30 days' AND ${UNUSED} LIMIT ${limit}
    ${skippingLocked(db)})`;

/**
 * Deletes checks of the whole ledger after ninety days, or after two years if they found violations. The newest stays,
 * because it has the present state of the ledger. Index: reconciliations_checked_at_idx.
 */
export const pruneReconciliations: Prune = (db, limit) => db.$executeRaw`
  DELETE FROM reconciliations WHERE id IN (
    SELECT id FROM reconciliations, (SELECT ledger_now() AS now OFFSET 0) clock
    WHERE checked_at < clock.now - interval '90 days'
      AND (checked_at < clock.now - interval '2 years' OR NOT checks @? '$[*] ? (@.violations > 0)')
      AND checked_at < (SELECT max(checked_at) FROM reconciliations)
    ORDER BY checked_at LIMIT ${limit})`;
