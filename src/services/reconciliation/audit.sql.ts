import { readAtLarge, type Db, type Reader } from '../../infra/db.js';
import { INSTANT } from './chain.sql.js';
import type { Facts, Report } from './parts.js';

export const AUDIT_INVARIANT = {
  number: '16',
  description: 'Every audit entry follows from the one before, and the chain knows its end.',
} as const;

/** Bounds memory and the duration of one statement. */
const ENTRIES_AT_ONCE = 20_000;

/** Checks the chain of audit entries and reports violations. Entries that are added meanwhile are left out. */
export async function checkAudit({ db }: Facts, report: Report): Promise<void> {
  const tell = (ids: readonly { id: string | null }[]): Promise<void> =>
    report(
      ids.map(({ id: auditId }) => ({
        invariant: AUDIT_INVARIANT.number,
        userId: null,
        lotId: null,
        seq: null,
        audioId: null,
        auditId,
      })),
    );
  const { lastSeq, isRight } = await readEnd(db);
  if (!isRight) await tell([{ id: null }]);
  for (let after = 0; after < lastSeq; after += ENTRIES_AT_ONCE)
    await tell(await readBrokenEntries(db, after, Math.min(lastSeq, after + ENTRIES_AT_ONCE)));
  await tell(await readUnchained(db));
}

/** The last number, and whether `audit_chain` agrees with the last entry. Index: audit_entries_seq_key. */
async function readEnd(db: Reader): Promise<{ lastSeq: number; isRight: boolean }> {
  const [end] = await db.$queryRaw<{ lastSeq: number; isRight: boolean }[]>`
    SELECT last.seq AS "lastSeq", coalesce(last.seq = c.last_seq AND last.hash = c.head_hash, false) AS "isRight"
    FROM (
      SELECT coalesce(max(seq), 0) AS seq, coalesce(
        (SELECT hash FROM audit_entries WHERE seq IS NOT NULL ORDER BY seq DESC LIMIT 1),
        decode(repeat('00', 32), 'hex')) AS hash
      FROM audit_entries
    ) last LEFT JOIN audit_chain c ON c.id = 1`;
  return end ?? { lastSeq: 0, isRight: false };
}

/** Entries that do not follow from their predecessor. Postgres builds the hashed text. Index: audit_entries_seq_key. */
const readBrokenEntries = (db: Db, after: number, last: number): Promise<{ id: string }[]> =>
  readAtLarge(
    db,
    (tx) => tx.$queryRaw`
    SELECT id FROM (
      SELECT id, seq, hash, lag(seq) OVER chain AS previous,
        sha256(coalesce(lag(hash) OVER chain, decode(repeat('00', 32), 'hex')) || convert_to(concat(
          '["', seq, '","', id, '","', to_char(at AT TIME ZONE 'UTC', ${INSTANT}), '","', actor_id, '",',
          to_json(action), ',', to_json(coalesce(target, '')), ',', to_json(coalesce(reason, '')), ',',
          to_json(coalesce(details::text, '')), ']'
        ), 'UTF8')) AS right_hash
      FROM audit_entries WHERE seq BETWEEN ${after}::int AND ${last}::int
      WINDOW chain AS (ORDER BY seq)
    ) links
    WHERE seq > ${after}::int AND (seq <> coalesce(previous, 0) + 1 OR hash IS DISTINCT FROM right_hash)
    ORDER BY seq LIMIT 10000`,
  );

/** Entries without a number, which the server did not write. Index: audit_entries_unchained. */
const readUnchained = (db: Reader): Promise<{ id: string }[]> =>
  db.$queryRaw`SELECT id FROM audit_entries WHERE seq IS NULL ORDER BY id LIMIT 10000`;
