import type { Db } from '../../infra/db.js';

interface OfferedVoice {
  readonly id: string;
  /** The provider's name of the voice. */
  readonly voice: string;
  readonly name: string;
  /** BCP 47. */
  readonly languages: readonly string[];
  readonly gender: string | null;
  readonly position: number;
}

/** Stores the offered voices. All others are kept, but marked as unavailable. Index: voices_pkey. */
export const writeVoices = (
  db: Pick<Db, '$executeRaw'>,
  provider: string,
  offered: readonly OfferedVoice[],
): Promise<number> =>
  db.$executeRaw`
    WITH offered AS (
      SELECT * FROM json_to_recordset(${JSON.stringify(offered)}::json)
        AS v(id text, voice text, name text, languages text[], gender text, position int)
    ), gone AS (
      UPDATE voices SET available = false WHERE available AND id NOT IN (SELECT id FROM offered)
    )
    INSERT INTO voices (id, provider, provider_voice, name, languages, gender, position)
    SELECT id, ${provider}, voice, name, languages, gender, position FROM offered
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, languages = excluded.languages,
      gender = excluded.gender, position = excluded.position, available = true`;
