import { newId } from '../domain/ids.js';
import type { Window } from '../domain/paging.js';
import { Prisma, type Reader, type Tx } from '../infra/db.js';

export interface AuditAction {
  /** The administrator; null for the operator's command line. */
  readonly actorId: string | null;
  /** The name of the mutation or command. */
  readonly action: string;
  /** The id of what it was done to. */
  readonly target: string | null;
  readonly reason: string | null;
  readonly at: Date;
}

/** Written with what was done, in one commit; the database refuses to change it afterwards. */
export async function writeAudit(tx: Tx, actions: readonly AuditAction[]): Promise<void> {
  await tx.auditEntry.createMany({ data: actions.map((action) => ({ id: newId(), ...action })) });
}

export interface AuditEntry extends AuditAction {
  readonly id: string;
}

const ENTRIES = Prisma.sql`
  SELECT id, at, actor_id AS "actorId", action, target, reason FROM audit_entries`;

/** What was done, newest first. Index: audit_entries_pkey, whose ids grow with time. */
export function readAudit(db: Reader, window: Window<string>): Promise<AuditEntry[]> {
  return db.$queryRaw<AuditEntry[]>`${ENTRIES}
    WHERE true
      ${window.after === null ? Prisma.empty : Prisma.sql`AND id < ${window.after}::uuid`}
      ${window.before === null ? Prisma.empty : Prisma.sql`AND id > ${window.before}::uuid`}
    ORDER BY id ${window.backward ? Prisma.sql`ASC` : Prisma.sql`DESC`} LIMIT ${window.limit + 1}`;
}

/** Index: audit_entries_pkey. */
export async function readAuditEntry(db: Reader, id: string): Promise<AuditEntry | undefined> {
  const [entry] = await db.$queryRaw<AuditEntry[]>`${ENTRIES} WHERE id = ${id}::uuid`;
  return entry;
}
