import { z } from 'zod';
import type { App } from '../app.js';
import { notFound } from '../../domain/errors.js';
import { isId } from '../../domain/ids.js';
import { cursorsOf, pageOf, windowOf, type Page, type PageArguments } from '../../domain/paging.js';
import { countRows } from '../counting.sql.js';
import { NOTICE_KINDS, type NoticeKind } from './notice-kinds.js';
import { markRead, readNotices, unreadQuery, type NoticeView } from './notices.sql.js';

export { NOTICE_KINDS };
export type { NoticeKind, NoticeView };

const cursors = cursorsOf('notices', z.uuid());

/** The user's notices, newest first. @throws BAD_USER_INPUT */
export async function listNotices(
  app: Pick<App, 'db'>,
  userId: string,
  args: PageArguments,
): Promise<Page<NoticeView>> {
  const window = windowOf(args, cursors);
  const rows = await readNotices(app.db, userId, window);
  return pageOf(rows, window, cursors, (notice) => notice.id);
}

/** The number of unread notices, at most one more than COUNTED_MAX. */
export const countUnread = (app: Pick<App, 'db'>, userId: string): Promise<number> =>
  countRows(app.db, unreadQuery(userId));

/** Marks a notice of the user and all older ones as read. @returns the number that was unread. @throws NOT_FOUND */
export async function markNoticesRead(
  app: Pick<App, 'db'>,
  userId: string,
  upTo: string,
): Promise<number> {
  const known = isId(upTo)
    ? await app.db.notice.findUnique({ where: { userId_id: { userId, id: upTo } } })
    : null;
  if (known === null) throw notFound('notice');
  return markRead(app.db, userId, known.id);
}

/** The newest notices, for followers. */
export const latestNotices = (app: Pick<App, 'db'>, userId: string): Promise<NoticeView[]> =>
  readNotices(app.db, userId, { limit: LATEST, backward: false, after: null, before: null });

const LATEST = 50;
