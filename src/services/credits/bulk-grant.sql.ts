import type { Db, Reader } from '../../infra/db.js';

/** Claims a key; of two at once, one does. Index: bulk_grants_pkey. */
export const insertBulkGrant = (
  db: Pick<Db, '$executeRaw'>,
  claim: { readonly key: string; readonly requestHash: Uint8Array; readonly actorId: string },
): Promise<number> =>
  db.$executeRaw`
    INSERT INTO bulk_grants (idempotency_key, request_hash, actor_id, created_at)
    VALUES (${claim.key}, ${claim.requestHash}, ${claim.actorId}::uuid, ledger_now()) ON CONFLICT DO NOTHING`;

/** Users by id or by e-mail address. Indexes: users_pkey, users_email_key. */
export function readByIdOrAddress(
  db: Reader,
  wanted: { ids: readonly string[]; addresses: readonly string[] },
): Promise<{ id: string; email: string }[]> {
  return db.$queryRaw`
    SELECT id, email FROM users
    WHERE (id = ANY(${wanted.ids}::uuid[]) OR email = ANY(${wanted.addresses}::text[]))
      AND deleted_at IS NULL`;
}
