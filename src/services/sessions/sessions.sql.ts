import { Prisma, type Reader, type Tx } from '../../infra/db.js';
import type { Role } from '../../domain/accounts/role.js';
import type { TokenTransport } from '../../domain/accounts/token-transport.js';

/** A device as it describes itself in its request. */
export interface Device {
  readonly name: string | null;
  readonly userAgent: string | null;
  readonly ipAddress: string | null;
  readonly transport: TokenTransport;
}

interface NewSession {
  readonly userId: string;
  readonly id: string;
  /** The hash of its first refresh token. */
  readonly hash: Uint8Array<ArrayBuffer>;
  /** The idle lifetime, which each use renews, and the absolute lifetime. */
  readonly idleMs: number;
  readonly longestMs: number;
}

/** Inserts a session with its first refresh token, by the database's clock. @returns the end of its idle lifetime */
export async function insertSession(
  tx: Tx,
  { userId, id, hash, idleMs, longestMs }: NewSession,
  device: Device,
): Promise<Date> {
  const [row] = await tx.$queryRaw<[{ expiresAt: Date }]>`
    WITH clock AS MATERIALIZED (SELECT date_trunc('milliseconds', clock_timestamp()) AS now),
    session AS (
      INSERT INTO sessions (user_id, id, device_name, user_agent, ip_address, transport, created_at,
                            last_used_at, absolute_expires_at, expires_at)
      SELECT ${userId}::uuid, ${id}::uuid, ${device.name}, ${device.userAgent}, ${device.ipAddress},
             ${device.transport}, now, now, now + ${longestMs} * interval '1 millisecond',
             now + ${Math.min(idleMs, longestMs)} * interval '1 millisecond'
      FROM clock RETURNING user_id, id, created_at, expires_at
    ), token AS (
      INSERT INTO refresh_tokens (user_id, hash, session_id, created_at)
      SELECT user_id, ${hash}, id, created_at FROM session
    )
    SELECT expires_at AS "expiresAt" FROM session`;
  return row.expiresAt;
}

/** Ends the sessions of a user beyond the `most` recently used ones. Index: sessions_live. */
export const endLeastUsed = (tx: Tx, userId: string, most: number): Promise<number> =>
  tx.$executeRaw`
    UPDATE sessions SET revoked_at = now() WHERE user_id = ${userId}::uuid AND revoked_at IS NULL AND id IN (
      SELECT id FROM sessions WHERE user_id = ${userId}::uuid AND revoked_at IS NULL AND expires_at > now()
      ORDER BY last_used_at DESC, id DESC OFFSET ${most})`;

/** Ends live sessions, by the database's clock. @returns their ids. Index: sessions_live. */
export async function endSessions(
  tx: Tx,
  which: { userId: string; id?: string | { not: string } },
): Promise<string[]> {
  const { userId, id } = which;
  const those =
    id === undefined
      ? Prisma.empty
      : typeof id === 'string'
        ? Prisma.sql`AND id = ${id}::uuid`
        : Prisma.sql`AND id <> ${id.not}::uuid`;
  const ended = await tx.$queryRaw<{ id: string }[]>`
    UPDATE sessions SET revoked_at = now()
    WHERE user_id = ${userId}::uuid ${those} AND revoked_at IS NULL AND expires_at > now() RETURNING id`;
  return ended.map((session) => session.id);
}

export interface SessionRow {
  readonly id: string;
  readonly userId: string;
  readonly transport: TokenTransport;
  readonly absoluteExpiresAt: Date;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
  readonly suspendedAt: Date | null;
  readonly now: Date;
}

/**
 * Locks the session of a refresh token, and reads the database's clock. All refreshes of a session take this lock, so
 * that two processes agree on one successor. Indexes: refresh_tokens_pkey, sessions_pkey.
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

/** Whether a refresh token, used or not, belongs to a live session. Indexes: refresh_tokens_pkey, sessions_pkey. */
export async function isOfLiveSession(
  db: Reader,
  token: { userId: string; hash: Uint8Array<ArrayBuffer> },
): Promise<boolean> {
  const rows = await db.$queryRaw<unknown[]>`
    SELECT 1 FROM refresh_tokens t JOIN sessions s ON s.user_id = t.user_id AND s.id = t.session_id
    WHERE t.user_id = ${token.userId}::uuid AND t.hash = ${token.hash}
      AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp()`;
  return rows.length > 0;
}

/**
 * The device that the newest refresh token of a live session belongs to. Indexes: refresh_tokens_pkey, sessions_pkey,
 * users_pkey.
 */
export async function readDeviceOfToken(
  db: Reader,
  token: { userId: string; hash: Uint8Array<ArrayBuffer> },
): Promise<(Omit<SessionState, 'endsInMs'> & { sessionId: string }) | undefined> {
  const [row] = await db.$queryRaw<[Omit<SessionState, 'endsInMs'> & { sessionId: string }]>`
    SELECT s.id AS "sessionId", u.role::text, u.suspended_at IS NOT NULL AS suspended
    FROM refresh_tokens t JOIN sessions s ON s.user_id = t.user_id AND s.id = t.session_id
    JOIN users u ON u.id = s.user_id
    WHERE t.user_id = ${token.userId}::uuid AND t.hash = ${token.hash} AND t.replaced_at IS NULL
      AND s.revoked_at IS NULL AND s.expires_at > clock_timestamp()`;
  return row;
}

export interface SessionState {
  readonly role: Role;
  readonly suspended: boolean;
  /** Milliseconds from the read until the session ends, unless it is used. */
  readonly endsInMs: number;
}

/** The state of a live session; undefined when it has ended. Indexes: sessions_pkey, users_pkey. */
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

/**
 * The states of many sessions in one statement. Sessions that have ended are left out. Indexes: sessions_pkey,
 * users_pkey.
 */
export function readSessionStates(
  db: Reader,
  { userIds, sessionIds }: { userIds: readonly string[]; sessionIds: readonly string[] },
): Promise<(SessionState & { userId: string; sessionId: string })[]> {
  return db.$queryRaw`
    SELECT s.user_id AS "userId", s.id AS "sessionId", u.role::text, u.suspended_at IS NOT NULL AS suspended,
           (extract(epoch FROM s.expires_at - now()) * 1000)::float8 AS "endsInMs"
    FROM unnest(${userIds}::uuid[], ${sessionIds}::uuid[]) AS asked (user_id, id)
    JOIN sessions s ON s.user_id = asked.user_id AND s.id = asked.id
    JOIN users u ON u.id = s.user_id
    WHERE s.revoked_at IS NULL AND s.expires_at > now()`;
}
