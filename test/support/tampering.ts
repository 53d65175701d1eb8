import { auditHash } from '../../src/domain/ledger/audit-chain.js';
import { CHAIN, type ChainRow } from './chain.js';
import type { TestDatabase } from './cluster.js';
import { sha256 } from './merkle.js';

type Database = Pick<TestDatabase, 'sql'>;

/** Runs SQL as an owner of the tables who has switched the triggers off. */
export const tamper = (database: Database, sql: string): Promise<unknown> =>
  database.sql(
    `SET session_replication_role = replica; ${sql}; SET session_replication_role = origin`,
  );

const TABLES = [
  ...['credit_allocations', 'credit_transactions', 'credit_lots', 'credit_accounts', 'audios'],
  ...['credit_checkpoints', 'audit_entries', 'audit_chain'],
];

/** Looks at what was tampered with, and puts every row back. */
export async function preserved<Result>(
  database: Database,
  look: () => Promise<Result>,
): Promise<Result> {
  await database.sql(
    TABLES.map((table) => `CREATE TABLE kept_${table} AS SELECT * FROM ${table}`).join(';'),
  );
  try {
    return await look();
  } finally {
    const columns = await database.sql<{ table: string; names: string }>(
      `SELECT table_name AS table, string_agg(quote_ident(column_name), ',') AS names
       FROM information_schema.columns
       WHERE table_schema = 'public' AND table_name = ANY ($1) AND is_generated = 'NEVER' GROUP BY table_name`,
      [TABLES],
    );
    const back = ({ table, names }: (typeof columns)[number]): string =>
      `DELETE FROM ${table}; INSERT INTO ${table} (${names}) SELECT ${names} FROM kept_${table}; DROP TABLE kept_${table}`;
    await tamper(database, columns.map(back).join(';'));
  }
}

/** Takes the last movements of an account away, with all that tells of them, its checkpoint too. */
export const cutHistory = (database: Database, userId: string, lastSeq: number): Promise<unknown> =>
  tamper(
    database,
    `
    DELETE FROM credit_checkpoints WHERE user_id = '${userId}';
    DELETE FROM audios WHERE user_id = '${userId}' AND debit_seq > ${String(lastSeq)};
    DELETE FROM credit_allocations WHERE user_id = '${userId}' AND seq > ${String(lastSeq)};
    DELETE FROM credit_transactions WHERE user_id = '${userId}' AND seq > ${String(lastSeq)};
    DELETE FROM credit_lots l WHERE user_id = '${userId}' AND NOT EXISTS (
      SELECT FROM credit_allocations a WHERE a.user_id = l.user_id AND a.lot_id = l.id);
    UPDATE credit_lots l SET remaining = (
      SELECT sum(a.amount) FROM credit_allocations a WHERE a.user_id = l.user_id AND a.lot_id = l.id
    ) WHERE user_id = '${userId}';
    UPDATE credit_accounts SET last_seq = ${String(lastSeq)}, head_hash = coalesce((
      SELECT hash FROM credit_transactions WHERE user_id = '${userId}' AND seq = ${String(lastSeq)}
    ), decode(repeat('00', 32), 'hex')) WHERE user_id = '${userId}'`,
  );

/** Takes an account away with everything of it but its user. */
export const dropAccount = (database: Database, userId: string): Promise<unknown> =>
  tamper(
    database,
    [
      ...['audios', 'credit_allocations', 'credit_transactions', 'credit_lots', 'credit_accounts'],
      'credit_checkpoints',
    ]
      .map((table) => `DELETE FROM ${table} WHERE user_id = '${userId}'`)
      .join(';'),
  );

/** Makes all hashes of an account anew, so that what was changed in it fits, and takes its checkpoint away. */
export async function sealHistory(
  database: Database,
  userId: string,
  options: { keepCheckpoint: boolean } = { keepCheckpoint: false },
): Promise<void> {
  let head: Buffer = Buffer.alloc(32);
  const rows = (await database.sql<ChainRow & Record<string, unknown>>(CHAIN)).filter(
    (row) => row.user_id === userId,
  );
  const hashes = rows.map(({ seq, text }) => {
    head = sha256(head, Buffer.from(text ?? ''));
    return `(${String(seq)}, '\\x${head.toString('hex')}'::bytea)`;
  });
  if (hashes.length > 0)
    await tamper(
      database,
      `UPDATE credit_transactions t SET hash = sealed.hash
       FROM (VALUES ${hashes.join()}) sealed (seq, hash) WHERE t.user_id = '${userId}' AND t.seq = sealed.seq`,
    );
  await database.sql('UPDATE credit_accounts SET head_hash = $2 WHERE user_id = $1', [
    userId,
    head,
  ]);
  if (options.keepCheckpoint) return;
  await database.sql('DELETE FROM credit_checkpoints WHERE user_id = $1', [userId]);
}

/** Takes the last audit entries away. */
export const cutAudit = (database: Database, lastSeq: number): Promise<unknown> =>
  tamper(
    database,
    `DELETE FROM audit_entries WHERE seq > ${String(lastSeq)};
     UPDATE audit_chain SET last_seq = ${String(lastSeq)},
       head_hash = (SELECT hash FROM audit_entries WHERE seq = ${String(lastSeq)})`,
  );

/** Makes all hashes of the audit log anew. */
export async function sealAudit(database: Database): Promise<void> {
  let head: Uint8Array = Buffer.alloc(32);
  const rows = await database.sql<Parameters<typeof auditHash>[1] & Record<string, unknown>>(
    `SELECT seq, id, at, actor_id AS "actorId", action, target, reason, details::text AS details
     FROM audit_entries ORDER BY seq`,
  );
  for (const row of rows) {
    head = auditHash(head, row);
    await tamper(
      database,
      `UPDATE audit_entries SET hash = '\\x${Buffer.from(head).toString('hex')}' WHERE id = '${row.id}'`,
    );
  }
  await database.sql('UPDATE audit_chain SET head_hash = $1', [head]);
}
