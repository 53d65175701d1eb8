import type { Reader, Rows } from '../../infra/db.js';
import type { AudioView } from '../narrations/audios.js';

/** How far a user has heard a narration. */
export type Listening = Readonly<Rows.Listening>;

/** A report of a device, without what the server decides. */
export interface ListeningReport extends Omit<Listening, 'finished' | 'rate'> {
  /** Null for whether the position is at the end of the recording. */
  readonly finished: boolean | null;
  /** Null for the rate that is stored, or 1. */
  readonly rate: number | null;
}

/**
 * Stores a report unless a newer one is stored. The position is at most the length of the recording, and the time is
 * at most the present. Indexes: audios_pkey, listenings_pkey.
 * @returns whether there is such a narration
 */
export async function writeListening(db: Reader, report: ListeningReport): Promise<boolean> {
  const [row] = await db.$queryRaw<{ exists: boolean }[]>`
    WITH heard AS (
      SELECT a.user_id, a.id, LEAST(${report.positionMs}::int, a.duration_ms) AS position_ms,
             COALESCE(${report.finished}::boolean, ${report.positionMs}::int >= a.duration_ms, false) AS finished,
             LEAST(${report.at}::timestamptz, GREATEST(clock_timestamp(), ledger_now())) AS at
      FROM audios a WHERE a.user_id = ${report.userId}::uuid AND a.id = ${report.audioId}::uuid
    ), written AS (
      INSERT INTO listenings AS l (user_id, audio_id, position_ms, finished, rate, at, session_id)
      SELECT user_id, id, position_ms, finished, COALESCE(${report.rate}::real, 1), at, ${report.sessionId}::uuid
      FROM heard
      ON CONFLICT (user_id, audio_id) DO UPDATE
      SET position_ms = excluded.position_ms, finished = excluded.finished, at = excluded.at,
          rate = COALESCE(${report.rate}::real, l.rate), session_id = excluded.session_id
      WHERE l.at < excluded.at
    )
    SELECT EXISTS (SELECT FROM heard) AS exists`;
  return row?.exists === true;
}

/**
 * The narrations that a user has begun and not finished, latest first. Those that can no longer be played are left out.
 * Index: listenings_begun.
 */
export async function readBegun(
  db: Reader,
  { userId, limit }: { userId: string; limit: number },
): Promise<AudioView['id'][]> {
  const rows = await db.$queryRaw<{ id: string }[]>`
    SELECT a.id FROM listenings l JOIN audios a ON a.user_id = l.user_id AND a.id = l.audio_id
    WHERE l.user_id = ${userId}::uuid AND NOT l.finished AND a.status IN ('QUEUED', 'PROCESSING', 'READY')
    ORDER BY l.at DESC, l.audio_id LIMIT ${limit}`;
  return rows.map(({ id }) => id);
}
