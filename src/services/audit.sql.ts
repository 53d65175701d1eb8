import { firstIdOf, newId } from '../domain/ids.js';
import { auditHash, type AuditRecord } from '../domain/ledger/audit-chain.js';
import type { Window } from '../domain/paging.js';
import { Prisma, type Reader, type Tx } from '../infra/db.js';
import { beforeCommit } from '../infra/connections/transaction-steps.js';
import { byId, keysetOf } from './keyset.sql.js';

/**
 * The details of an entry: `from` and `to` for a changed value, and otherwise amounts, counts and ids. No personal
 * data, because entries are never deleted.
 */
export type AuditDetails = Readonly<
  Record<
    string,
    | string
    | number
    | boolean
    | null
    | Readonly<Record<'from' | 'to', string | number | boolean | null>>
  >
>;

/** The `from` and `to` of a changed value. */
export const changed = <Value extends string | number | boolean | Date | null>(
  from: Value,
  to: Value,
): { from: string | number | boolean | null; to: string | number | boolean | null } => ({
  from: from instanceof Date ? from.toISOString() : from,
  to: to instanceof Date ? to.toISOString() : to,
});

export interface AuditAction {
  /** The user who acted. Null for the operator's command line and for the server itself. */
  readonly actorId: string | null;
  /** The name of the mutation or command. */
  readonly action: string;
  /** The id of the object of the action. */
  readonly target: string | null;
  readonly reason: string | null;
  /** Null when nothing changed. */
  readonly details: AuditDetails | null;
  readonly at: Date;
}

const waiting = new WeakMap<Tx, AuditAction[]>();

/**
 * Adds entries to the audit log in the commit of the action. The database refuses to change them afterwards. They are
 * written at the end of the transaction, because the end of the chain is locked from then until the commit.
 */
export function writeAudit(tx: Tx, actions: readonly AuditAction[]): Promise<void> {
  const earlier = waiting.get(tx);
  if (earlier !== undefined) earlier.push(...actions);
  else if (actions.length > 0) {
    const all = [...actions];
    waiting.set(tx, all);
    beforeCommit(tx, () => appendAudit(tx, all));
  }
  return Promise.resolve();
}

/**
 * Appends entries to the chain. Locks its end, so that such transactions commit one after the other. Index:
 * audit_chain_pkey.
 */
async function appendAudit(tx: Tx, actions: readonly AuditAction[]): Promise<void> {
  const [head] = await tx.$queryRaw<{ lastSeq: number; headHash: Uint8Array }[]>`
    SELECT last_seq AS "lastSeq", head_hash AS "headHash" FROM audit_chain WHERE id = 1 FOR UPDATE`;
  if (head === undefined) throw new Error('The audit log has lost the end of its chain.');
  let { lastSeq: seq, headHash: hash } = head;
  const rows = actions.map((action) => {
    const details = action.details === null ? null : JSON.stringify(action.details);
    const entry: AuditRecord = { ...action, details, seq: (seq += 1), id: newId() };
    hash = auditHash(hash, entry);
    return { ...entry, hash: Buffer.from(hash).toString('hex') };
  });
  await tx.$executeRaw`
    WITH entries AS (
      INSERT INTO audit_entries (id, seq, at, actor_id, action, target, reason, details, hash)
      SELECT id, seq, at, "actorId", action, target, reason, details::json, decode(hash, 'hex')
      FROM json_to_recordset(${JSON.stringify(rows)}::json) AS r(id uuid, seq int, at timestamptz, "actorId" uuid,
        action text, target text, reason text, details text, hash text)
    )
    UPDATE audit_chain SET last_seq = ${seq}, head_hash = ${hash} WHERE id = 1`;
}

/**
 * The targets for which this administrator or auditor has no entry of reading their private data since `since`. With
 * `anyAction`, any entry of the actor about the target counts. No locks, so two concurrent requests may both get a
 * target.
 * Index: audit_entries_pkey, whose ids grow with time, so that only the newest entries are read.
 */
export async function readUnnoted(
  db: Reader,
  reads: { actorId: string; targets: readonly string[]; since: Date; anyAction: boolean },
): Promise<readonly string[]> {
  const { actorId, targets, since, anyAction } = reads;
  const rows = await db.$queryRaw<{ target: string }[]>`
    SELECT r.target FROM unnest(${targets}::text[]) r(target)
    WHERE NOT EXISTS (
      SELECT FROM audit_entries e
      WHERE e.id >= ${firstIdOf(since)}::uuid AND e.actor_id = ${actorId}::uuid AND e.target = r.target
        AND (${anyAction} OR e.action = ${READ_ACTION}))`;
  return rows.map(({ target }) => target);
}

export const READ_ACTION = 'readUser';

export interface AuditEntry extends AuditAction {
  readonly id: string;
}

const ENTRIES = Prisma.sql`
  SELECT id, at, actor_id AS "actorId", action, target, reason, details FROM audit_entries`;

/** A filter of entries. Each null member selects all. */
export interface AuditSelection {
  readonly actorId: string | null;
  readonly actions: readonly string[] | null;
  readonly target: string | null;
  /** The period is half-open: `from` is included, `to` is not. */
  readonly from: Date | null;
  readonly to: Date | null;
}

const selected = ({
  actorId,
  actions,
  target,
  from,
  to,
}: AuditSelection): Prisma.Sql => Prisma.sql`true
      ${actorId === null ? Prisma.empty : Prisma.sql`AND actor_id = ${actorId}::uuid`}
      ${actions === null ? Prisma.empty : Prisma.sql`AND action = ANY (${actions}::text[])`}
      ${target === null ? Prisma.empty : Prisma.sql`AND target = ${target}`}
      ${from === null ? Prisma.empty : Prisma.sql`AND at >= ${from}`}
      ${to === null ? Prisma.empty : Prisma.sql`AND at < ${to}`}`;

/** A query of the entries that `readAudit` reads. */
export const auditQuery = (selection: AuditSelection): Prisma.Sql =>
  Prisma.sql`SELECT FROM audit_entries WHERE ${selected(selection)}`;

/**
 * Audit entries, newest first. Indexes: audit_entries_pkey, whose ids grow with time, and one for each part of the
 * filter.
 */
export function readAudit(
  db: Reader,
  { window, selection }: { window: Window<string>; selection: AuditSelection },
): Promise<AuditEntry[]> {
  const { within, page } = keysetOf(window, byId(Prisma.sql`id`, 'descending'));
  return db.$queryRaw<AuditEntry[]>`${ENTRIES} WHERE ${selected(selection)} ${within} ${page}`;
}

/** One audit entry by its id. Index: audit_entries_pkey. */
export async function readAuditEntry(db: Reader, id: string): Promise<AuditEntry | undefined> {
  const [entry] = await db.$queryRaw<AuditEntry[]>`${ENTRIES} WHERE id = ${id}::uuid`;
  return entry;
}
