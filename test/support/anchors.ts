import { rootOf, sha256 } from './merkle.js';
import type { TestDatabase } from './cluster.js';

/** The statement of a compact JWS, not verified. */
export const statementOf = (signed: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(signed.split('.')[1] ?? '', 'base64url').toString()) as Record<
    string,
    unknown
  >;

/** The lines of a file of an anchor: what it is, the leaves, and the signed statement with its key. */
export function linesOf(text: string): {
  first: unknown;
  leaves: [userId: string, lastSeq: number, headHash: string][];
  last: { statement: string; key: Record<string, string> };
} {
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  return {
    first: lines[0],
    leaves: lines.slice(1, -1) as [string, number, string][],
    last: lines.at(-1) as { statement: string; key: Record<string, string> },
  };
}

/** What a statement must say of a database as it is now, shared with no code of the server. */
export async function expectedStatement(
  database: Pick<TestDatabase, 'sql'>,
): Promise<Record<string, unknown>> {
  const accounts = await database.sql<{ id: string; seq: number; head: string }>(
    `SELECT user_id AS id, last_seq AS seq, encode(head_hash, 'hex') AS head FROM credit_accounts ORDER BY user_id`,
  );
  const leaves = accounts.map(({ id, seq, head }) =>
    sha256(Buffer.from(`${id}|${String(seq)}|${head}`)),
  );
  const totals = await database.sql(
    `SELECT l.source, ${[
      'GRANT granted',
      'DEBIT debited',
      'REFUND refunded',
      'EXPIRY expired',
      'REVOCATION revoked',
    ]
      .map((column) => column.split(' '))
      .map(
        ([type = '', name = '']) =>
          `abs(coalesce(sum(a.amount) FILTER (WHERE t.type = '${type}'), 0))::int AS ${name}`,
      )
      .join(', ')}, sum(a.amount)::int AS outstanding
     FROM credit_lots l JOIN credit_allocations a ON a.user_id = l.user_id AND a.lot_id = l.id
     JOIN credit_transactions t ON t.user_id = a.user_id AND t.seq = a.seq
     GROUP BY l.source ORDER BY l.source::text COLLATE "C"`,
  );
  return {
    iss: 'talebank',
    accounts: accounts.length,
    transactions: accounts.reduce((sum, { seq }) => sum + seq, 0),
    root: rootOf(leaves).toString('hex'),
    totals,
    violations: 0,
  };
}
