import type { Reader, Tx } from '../../../infra/db.js';

/** An archive of a user's data. */
export interface DataExport {
  readonly id: string;
  /** The number of records at the time of the request. */
  readonly rows: number;
  readonly expiresAt: Date;
}

/** How long an archive is kept, and how long its address is valid. */
export const EXPORT_HOURS = 24;
/** Within this time a second request gets the first archive, which bounds the work and the files of one user. */
const SHARED_MINUTES = 60;

/**
 * The archive that was requested last, if that was recent and it has not expired. An archive that was requested in the
 * future is not recent, because the clock may have been set back. Index: data_exports_pkey.
 */
export async function readRecentExport(
  db: Reader,
  userId: string,
): Promise<DataExport | undefined> {
  const [found] = await db.$queryRaw<DataExport[]>`
    SELECT id, rows, expires_at AS "expiresAt" FROM data_exports
    WHERE user_id = ${userId}::uuid
      AND asked_at BETWEEN now() - ${SHARED_MINUTES} * interval '1 minute' AND now() + ${SHARED_MINUTES} * interval '1 minute'
      AND expires_at > now()
    ORDER BY id DESC LIMIT 1`;
  return found;
}

/**
 * Stores a request for an archive, with the number of records that it would have now. Indexes: the primary keys of all
 * tables, which begin with the user, and audit_entries_target_id_idx.
 */
export async function insertExport(
  tx: Tx,
  { userId, id }: { userId: string; id: string },
): Promise<DataExport> {
  const [made] = await tx.$queryRaw<DataExport[]>`
    INSERT INTO data_exports (user_id, id, rows, asked_at, expires_at)
    SELECT u.id, ${id}::uuid, 1
      + (SELECT count(*) FROM sessions WHERE user_id = u.id)
      + (SELECT count(*) FROM credit_lots WHERE user_id = u.id)
      + (SELECT count(*) FROM credit_transactions WHERE user_id = u.id)
      + (SELECT count(*) FROM audios WHERE user_id = u.id)
      + (SELECT count(*) FROM favourites WHERE user_id = u.id)
      + (SELECT count(*) FROM notices WHERE user_id = u.id)
      + (SELECT count(*) FROM audit_entries WHERE target = u.id::text AND actor_id = u.id),
      now(), now() + ${EXPORT_HOURS} * interval '1 hour'
    FROM users u WHERE u.id = ${userId}::uuid
    RETURNING id, rows, expires_at AS "expiresAt"`;
  if (made === undefined) throw new Error('The user whose data is exported must exist.');
  return made;
}

/**
 * Ends a user's archives, because who asked for them may have known the old password. The sweep removes their files.
 * Index: data_exports_pkey.
 */
export const expireExports = (tx: Tx, userId: string): Promise<number> =>
  tx.$executeRaw`
    UPDATE data_exports SET expires_at = now() WHERE user_id = ${userId}::uuid AND expires_at > now()`;

/** Marks an archive as complete. @returns 0 when the user has left or the archive has expired. Index: data_exports_pkey. */
export const finishExport = (
  db: Pick<Tx, '$executeRaw'>,
  { userId, exportId }: { userId: string; exportId: string },
): Promise<number> =>
  db.$executeRaw`
    UPDATE data_exports e SET ready_at = now() FROM users u
    WHERE e.user_id = ${userId}::uuid AND e.id = ${exportId}::uuid AND e.expires_at > now()
      AND u.id = e.user_id AND u.deleted_at IS NULL`;

/** The archive at an address. undefined when it is gone. Index: data_exports_pkey. */
export async function readExport(
  db: Reader,
  { userId, id }: { userId: string; id: string },
): Promise<{ readyAt: Date | null } | undefined> {
  const [found] = await db.$queryRaw<{ readyAt: Date | null }[]>`
    SELECT e.ready_at AS "readyAt" FROM data_exports e JOIN users u ON u.id = e.user_id
    WHERE e.user_id = ${userId}::uuid AND e.id = ${id}::uuid AND e.expires_at > now() AND u.deleted_at IS NULL`;
  return found;
}
