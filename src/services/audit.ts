import { z } from 'zod';
import { columnsOf, rowKey, type RowKey } from '../domain/ids.js';
import type { App } from './app.js';
import { busy } from '../domain/errors.js';
import { cursorsOf, pageOf, windowOf, type Page, type PageArguments } from '../domain/paging.js';
import { transact, type Db } from '../infra/db.js';
import {
  auditQuery,
  READ_ACTION,
  readAudit,
  readAuditEntry,
  readUnnoted,
  writeAudit,
  type AuditEntry,
} from './audit.sql.js';
import { countRows } from './counting.sql.js';
import { line, parseRequest, requirePeriod } from './validation.js';

export type { AuditEntry };

const cursors = cursorsOf('auditLog', z.uuid());

export interface AuditFilter extends PageArguments {
  readonly actorId?: string | null;
  readonly action?: readonly string[] | null;
  readonly target?: string | null;
  readonly from?: Date | null;
  readonly to?: Date | null;
}

const selecting = z.object({
  actorId: z.uuid('must be the id of a user').nullish(),
  action: z.array(line(1, 100)).nullish(),
  target: line(1, 200).nullish(),
});

/**
 * The actions of administrators, and actions that concern the security of accounts, newest first. @throws
 * BAD_USER_INPUT
 */
export async function listAudit(
  app: Pick<App, 'db'>,
  args: AuditFilter,
): Promise<Page<AuditEntry>> {
  const window = windowOf(args, cursors);
  const { from = null, to = null } = args;
  const { actorId = null, action: actions = null, target = null } = parseRequest(selecting, args);
  requirePeriod({ from, to });
  const selection = { actorId, actions, target, from, to };
  const rows = await readAudit(app.db, { window, selection });
  const page = pageOf(rows, window, cursors, (entry) => entry.id);
  return { ...page, count: () => countRows(app.db, auditQuery(selection)) };
}

/** The entry with this id. Undefined when there is none. */
export const findAuditEntry = (app: Pick<App, 'db'>, id: string): Promise<AuditEntry | undefined> =>
  readAuditEntry(app.db, id);

/** One entry in this time for each reader and user, so that repeated reads do not flood the log. */
const READS_ONCE_MS = 3_600_000;

/** A read of another user's private data by an administrator or auditor. */
export interface PrivateRead {
  readonly actorId: string;
  readonly userId: string;
  /** Whether it is part of the answer of a mutation, which has its own entry if it changed something. */
  readonly inMutation: boolean;
}

/** The key under which a read is recorded once in a request. */
export const readKey = ({ actorId, userId, inMutation }: PrivateRead): RowKey =>
  rowKey(actorId, userId, inMutation ? 'mutation' : null);

/**
 * Records reads before they are answered. If that fails, they are refused.
 * @param keys `readKey(read)` for all reads of one request
 * @throws BUSY
 */
export async function recordReads(
  app: Pick<App, 'db'>,
  keys: readonly RowKey[],
): Promise<Map<RowKey, true>> {
  const since = new Date(Date.now() - READS_ONCE_MS);
  const targetsOf = new Map<RowKey, string[]>();
  for (const key of keys) {
    const [actorId = '', target = '', kind = ''] = columnsOf(key);
    const group = rowKey(actorId, kind);
    targetsOf.set(group, [...(targetsOf.get(group) ?? []), target]);
  }
  for (const [group, targets] of targetsOf) {
    const [actorId = '', kind] = columnsOf(group);
    const reads = { actorId, targets, since, anyAction: kind === 'mutation' };
    await noteReads(app.db, reads).catch((error: unknown) => {
      throw busy(error);
    });
  }
  return new Map(keys.map((key) => [key, true]));
}

async function noteReads(db: Db, reads: Parameters<typeof readUnnoted>[1]): Promise<void> {
  const targets = await readUnnoted(db, reads);
  if (targets.length === 0) return;
  const { actorId } = reads;
  const about = { actorId, action: READ_ACTION, reason: null, details: null, at: new Date() };
  await transact(db, (tx) =>
    writeAudit(
      tx,
      targets.map((target) => ({ ...about, target })),
    ),
  );
}
