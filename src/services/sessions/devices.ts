import type { App } from '../app.js';
import { notFound } from '../../domain/errors.js';
import { isId, type RowKey } from '../../domain/ids.js';
import { transact, type Rows } from '../../infra/db.js';
import { changed, writeAudit } from '../audit.sql.js';
import { ledgerKey, splitLedgerKey } from '../credits/credits.js';
import { DEVICES_MAX } from './session-states.js';
import { endSessions } from './sessions.sql.js';
import type { Viewer } from './viewer.js';

/** A signed-in device as its owner sees it. */
export type SessionView = Readonly<
  Pick<
    Rows.Session,
    | 'userId'
    | 'id'
    | 'deviceName'
    | 'userAgent'
    | 'ipAddress'
    | 'createdAt'
    | 'lastUsedAt'
    | 'expiresAt'
  >
>;

/** @param keys `ledgerKey(userId, sessionId)` */
export async function sessionsByKey(
  app: App,
  keys: readonly RowKey[],
): Promise<Map<RowKey, SessionView>> {
  const rows = await app.db.session.findMany({ where: { OR: keys.map(splitLedgerKey) } });
  return new Map(rows.map((row) => [ledgerKey(row.userId, row.id), row]));
}

/** The signed-in devices, most recently used first. The list is bounded, because a user has at most DEVICES_MAX. */
export function listSessions(app: App, userId: string): Promise<SessionView[]> {
  return app.db.session.findMany({
    where: { userId, revokedAt: null, expiresAt: { gt: new Date() } },
    orderBy: [{ lastUsedAt: 'desc' }, { id: 'desc' }],
    take: DEVICES_MAX,
  });
}

/**
 * Signs one of the viewer's devices out: its refresh tokens at once, its access token within a second.
 * @throws NOT_FOUND for a device that is not signed in, or that belongs to another user
 */
export async function revokeSession(app: App, viewer: Viewer, id: string): Promise<void> {
  if (!isId(id)) throw notFound('session');
  const ended = await endOwn(app, viewer, 'revokeSession', { id });
  if (ended === 0) throw notFound('session');
}

/** Signs every other device of the viewer out. @returns their number */
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
    const about = { actorId: userId, action, reason: null, at };
    const details = { revokedAt: changed(null, at) };
    await writeAudit(
      tx,
      ids.map((target) => ({ ...about, target, details })),
    );
    return ids;
  });
  app.sessionStates.forget(userId);
  return ended.length;
}
