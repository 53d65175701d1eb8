import type { Reader } from '../../infra/db.js';

/** How many origins a policy may list, so that its header stays short. */
const ORIGINS_MAX = 20;

/** The beginnings of the covers' addresses, up to the path, in alphabetical order. It reads all rows of stories. */
export async function readCoverOrigins(db: Reader): Promise<string[]> {
  const rows = await db.$queryRaw<{ origin: string }[]>`
    SELECT DISTINCT substring(cover_url FROM '^https?://[^/?#]+') AS origin
    FROM stories WHERE cover_url IS NOT NULL AND deleted_at IS NULL
    ORDER BY origin LIMIT ${ORIGINS_MAX}`;
  return rows.map(({ origin }) => origin);
}
