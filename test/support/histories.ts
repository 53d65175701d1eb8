import { expect } from '@jest/globals';
import type { OpenApp } from '../../src/open-app.js';
import type * as History from '../../src/services/credits/past/history.sql.js';
import type { TestDatabase } from './cluster.js';
import { compiled } from './compiled.js';

/** The numbers of what is selected, found by looking at every movement. */
const PLAIN_HISTORY = `
  SELECT t.seq FROM credit_transactions t
  WHERE t.user_id = $1 AND ($2::text[] IS NULL OR t.type::text = ANY($2))
    AND ($3::text[] IS NULL OR EXISTS (
      SELECT FROM credit_allocations a JOIN credit_lots l ON l.user_id = a.user_id AND l.id = a.lot_id
      WHERE a.user_id = t.user_id AND a.seq = t.seq AND l.source::text = ANY($3)))
    AND ($4::uuid IS NULL OR t.audio_id = $4)
    AND ($5::timestamptz IS NULL OR t.effective_at >= $5) AND ($6::timestamptz IS NULL OR t.effective_at < $6)
    AND ($7::int IS NULL OR t.seq < $7) AND ($8::int IS NULL OR t.seq > $8)`;

/** That a page of a history is what a look at every movement finds. @returns how many movements it has */
export async function expectPlainHistory(
  database: Pick<TestDatabase, 'sql'>,
  { points }: Pick<OpenApp, 'points'>,
  wanted: History.WantedHistory,
): Promise<number> {
  const { readHistory } = await compiled<typeof History>('services/credits/past/history.sql.js');
  const { userId, window, selection } = wanted;
  const { types, sources, audioId, from, to } = selection;
  const right = await database.sql<{ seq: number }>(
    `${PLAIN_HISTORY} ORDER BY t.seq ${window.backward ? 'ASC' : 'DESC'} LIMIT ${String(window.limit + 1)}`,
    [userId, types, sources, audioId, from, to, window.after, window.before],
  );
  const rows = await readHistory(points, wanted);
  expect([wanted, rows.map(({ seq }) => seq)]).toEqual([wanted, right.map(({ seq }) => seq)]);
  return right.length;
}
