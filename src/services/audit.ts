import { z } from 'zod';
import type { App } from '../app.js';
import { cursorsOf, pageOf, windowOf, type Page, type PageArguments } from '../domain/paging.js';
import { readAudit, readAuditEntry, type AuditEntry } from './audit.sql.js';

export type { AuditEntry };

const cursors = cursorsOf('auditLog', z.uuid());

/** What administrators did and what touched people's security, newest first. @throws BAD_USER_INPUT */
export async function listAudit(
  app: Pick<App, 'db'>,
  args: PageArguments,
): Promise<Page<AuditEntry>> {
  const window = windowOf(args, cursors);
  const rows = await readAudit(app.db, window);
  return pageOf(rows, window, cursors, (entry) => entry.id);
}

export const findAuditEntry = (app: Pick<App, 'db'>, id: string): Promise<AuditEntry | undefined> =>
  readAuditEntry(app.db, id);
