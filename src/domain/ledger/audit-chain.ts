import { createHash } from 'node:crypto';

/** An entry of the audit log, as it is hashed and stored. */
export interface AuditRecord {
  /** 1, 2, 3 … without gaps, over all entries. */
  readonly seq: number;
  readonly id: string;
  readonly at: Date;
  readonly actorId: string | null;
  readonly action: string;
  readonly target: string | null;
  readonly reason: string | null;
  /** JSON, as it is stored. */
  readonly details: string | null;
}

/** The text that is hashed: a JSON array of strings, null as "". */
const auditText = (entry: AuditRecord): string =>
  JSON.stringify([
    String(entry.seq),
    entry.id,
    entry.at.toISOString(),
    entry.actorId ?? '',
    entry.action,
    entry.target ?? '',
    entry.reason ?? '',
    entry.details ?? '',
  ]);

/** SHA-256 of the previous hash and the entry's text, as in the chains of accounts. */
export const auditHash = (previous: Uint8Array, entry: AuditRecord): Uint8Array =>
  createHash('sha256').update(previous).update(auditText(entry)).digest();
