import type { App } from '../../app.js';
import { notFound } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { Prisma, transact, type Tx } from '../../infra/db.js';
import { writeAudit } from '../audit.sql.js';
import { MOST_DEVICES } from './sessions.js';
import type { Viewer } from './viewer.js';

/** A signed-in device as its owner sees it. */
export interface SessionView {
  readonly userId: string;
  readonly id: string;
  readonly deviceName: string | null;
  readonly userAgent: string | null;
  readonly ipAddress: string | null;
  readonly createdAt: Date;
  readonly lastUsedAt: Date;
  readonly expiresAt: Date;
}

/** @param keys `ledgerKey(userId, sessionId)` */
export async function sessionsByKey(
  app: App,
  keys: readonly string[],
): Promise<Map<string, SessionView>> {
  const rows = await app.db.session.findMany({
    where: {
      OR: keys.map((key) => ({ userId: key.split(' ')[0] ?? '', id: key.split(' ')[1] ?? '' })),
    },
  });
  return new Map(rows.map((row) => [`${row.userId} ${row.id}`, row]));
}

/** The devices that are signed in, most recently used first. Bounded: nobody has more than MOST_DEVICES. */
export function listSessions(app: App, userId: string): Promise<SessionView[]> {
  return app.db.session.findMany({
    where: { userId, revokedAt: null, expiresAt: { gt: new Date() } },
    orderBy: [{ lastUsedAt: 'desc' }, { id: 'desc' }],
    take: MOST_DEVICES,
  });
}

/**
 * Signs one of the viewer's devices out: its refresh tokens at once, its access token within a second.
 * @throws NOT_FOUND for a device that is signed out already, or someone else's
 */
export async function revokeSession(app: App, viewer: Viewer, id: string): Promise<void> {
  if (!isId(id)) throw notFound('session');
  const ended = await endOwn(app, viewer, 'revokeSession', { id });
  if (ended === 0) throw notFound('session');
}

/** Signs every other device of the viewer out. @returns how many that were */
export const revokeOtherSessions = (app: App, viewer: Viewer): Promise<number> =>
  endOwn(app, viewer, 'revokeOtherSessions', { id: { not: viewer.sessionId } });

async function endOwn(
  app: App,
  { userId }: Viewer,
  action: string,
  which: { id: string | { not: string } },
): Promise<number> {
  const ended = await transact(app.db, async (tx) => {
    const ids = await endSessions(tx, { userId, ...which });
    const at = new Date();
    await writeAudit(
      tx,
      ids.map((target) => ({ actorId: userId, action, target, reason: null, at })),
    );
    return ids;
  });
  app.sessionStates.forget(userId);
  return ended.length;
}

/** Ends devices that are signed in, by the database’s clock. @returns their ids. Index: sessions_live. */
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
