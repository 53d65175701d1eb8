import type { Reader } from '../../infra/db.js';

/** Whether the database accepts writes. No locks, no index. */
export async function takesWrites(db: Reader): Promise<boolean> {
  const [row] = await db.$queryRaw<{ readOnly: string }[]>`
    SELECT current_setting('transaction_read_only') AS "readOnly"`;
  return row?.readOnly === 'off';
}
