import { Prisma, type Reader } from '../../../infra/db.js';
import type { AudioStatus } from '../narrations.sql.js';
import type { Script } from './plan.js';

/** What is said before the story `s`. Null when nothing is. */
export const ANNOUNCEMENT = Prisma.sql`
  CASE WHEN s.announced THEN json_build_object('title', s.title, 'author', s.author) END`;

/** The text of a narration, how it is spoken, and its status. */
export interface ScriptRow extends Script {
  readonly userId: string;
  readonly audioId: string;
  readonly status: AudioStatus;
}

/** The script of a narration, of any user. Index: audios_id_idx. */
export async function readScript(db: Reader, audioId: string): Promise<ScriptRow | undefined> {
  const [row] = await db.$queryRaw<ScriptRow[]>`
    SELECT a.user_id AS "userId", a.id AS "audioId", a.status::text, a.text_hash AS "textHash", t.content,
           s.language, v.provider, v.provider_voice AS "providerVoice",
           ${ANNOUNCEMENT} AS "announcement"
    FROM audios a
    JOIN story_texts t ON t.hash = a.text_hash JOIN voices v ON v.id = a.voice_id
    JOIN stories s ON s.id = a.story_id
    WHERE a.id = ${audioId}::uuid`;
  return row;
}
