import type { App } from '../../app.js';

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

/** The devices that are signed in, most recently used first. Bounded: nobody has more than a hundred. */
export function listSessions(app: App, userId: string): Promise<SessionView[]> {
  return app.db.session.findMany({
    where: { userId, revokedAt: null, expiresAt: { gt: new Date() } },
    orderBy: [{ lastUsedAt: 'desc' }, { id: 'desc' }],
    take: 100,
  });
}
