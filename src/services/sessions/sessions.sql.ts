import type { Reader, Tx } from '../../infra/db.js';

export interface SessionRow {
  readonly id: string;
  readonly userId: string;
  readonly transport: 'BODY' | 'COOKIE';
  readonly absoluteExpiresAt: Date;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
  readonly suspendedAt: Date | null;
  readonly now: Date;
}

/**
 * Locks the device that a refresh token belongs to, and reads the database's clock. All of a family's
 * refreshes pass through this lock, so that two processes agree on one successor.
 * Indexes: refresh_tokens_pkey, sessions_pkey.
 */
export async function lockSessionOfToken(
  tx: Tx,
  token: { userId: string; hash: Uint8Array<ArrayBuffer> },
): Promise<SessionRow | undefined> {
  const [row] = await tx.$queryRaw<SessionRow[]>`
    SELECT s.id, s.user_id AS "userId", s.transport, s.absolute_expires_at AS "absoluteExpiresAt",
           s.expires_at AS "expiresAt", s.revoked_at AS "revokedAt", u.suspended_at AS "suspendedAt",
           date_trunc('milliseconds', clock_timestamp()) AS now
    FROM sessions s JOIN users u ON u.id = s.user_id
    WHERE s.user_id = ${token.userId}::uuid
      AND s.id = (SELECT session_id FROM refresh_tokens WHERE user_id = ${token.userId}::uuid AND hash = ${token.hash})
    FOR UPDATE OF s`;
  return row;
}

export interface SessionState {
  readonly role: 'USER' | 'ADMIN';
  readonly suspended: boolean;
  /** When it is signed out unless it is used, from when it was read. */
  readonly endsInMs: number;
}

/** What an access token is still worth. Indexes: sessions_pkey, users_pkey. */
export async function readSessionState(
  db: Reader,
  session: { userId: string; sessionId: string },
): Promise<SessionState | undefined> {
  const [row] = await db.$queryRaw<SessionState[]>`
    SELECT u.role::text, u.suspended_at IS NOT NULL AS suspended,
           (extract(epoch FROM s.expires_at - now()) * 1000)::float8 AS "endsInMs"
    FROM sessions s JOIN users u ON u.id = s.user_id
    WHERE s.user_id = ${session.userId}::uuid AND s.id = ${session.sessionId}::uuid
      AND s.revoked_at IS NULL AND s.expires_at > now()`;
  return row;
}
