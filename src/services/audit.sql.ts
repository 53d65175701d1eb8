import { newId } from '../domain/ids.js';
import type { Tx } from '../infra/db.js';

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
