import type { Tx } from '../../infra/db.js';
import { writeAudit, type AuditDetails } from '../audit.sql.js';

/**
 * Writes an audit entry for each key that the operator has retired, by a command or by the configuration.
 * @param details name the keys that were made instead
 */
export const auditRetiredKeys = (
  tx: Tx,
  action: string,
  retired: readonly { readonly kid: string }[],
  details: AuditDetails,
): Promise<void> =>
  writeAudit(
    tx,
    retired.map(({ kid }) => ({
      actorId: null,
      action,
      target: kid,
      reason: null,
      details,
      at: new Date(),
    })),
  );
