import { firstIdOf } from '../../domain/ids.js';
import type { Window } from '../../domain/paging.js';
import { Prisma, type Reader } from '../../infra/db.js';
import type { AudioView } from '../narrations/audios.js';
import type { AudioStatus } from '../narrations/narrations.sql.js';
import { byId, keysetOf } from '../keyset.sql.js';

/** A filter of all users' narrations. Each null member selects all. */
export interface NarrationSelection {
  readonly userId: string | null;
  readonly statuses: readonly AudioStatus[] | null;
  /** The period is half-open: `from` is included, `to` is not. */
  readonly from: Date | null;
  readonly to: Date | null;
}

/** Statuses with an index of their own each, because few narrations have them. The last is that of most narrations. */
const GROUPS: readonly (readonly [readonly AudioStatus[], Prisma.Sql])[] = [
  [['QUEUED', 'PROCESSING'], Prisma.sql`a.status IN ('QUEUED', 'PROCESSING')`],
  [['FAILED', 'CANCELLED'], Prisma.sql`a.status IN ('FAILED', 'CANCELLED')`],
  [['READY'], Prisma.sql`a.status = 'READY'`],
];

const COLUMNS = Prisma.sql`
  a.user_id AS "userId", a.id, a.story_id AS "storyId", a.voice_id AS "voiceId", a.text_hash AS "textHash",
  a.status::text AS status, a.progress, a.rendition_hash AS "renditionHash", a.duration_ms AS "durationMs",
  a.length_bytes AS "lengthBytes", a.failure_reason AS "failureReason", a.failure_code AS "failureCode",
  a.waiting_for AS "waitingFor",
  a.created_at AS "createdAt", a.updated_at AS "updatedAt", a.ready_at AS "readyAt"`;

/** How far the clock of a process, which makes the ids, may be from that of the ledger. */
const CLOCKS_APART_MS = 86_400_000;
const shifted = (at: Date, byMs: number): string => firstIdOf(new Date(at.getTime() + byMs));

/**
 * All users' narrations, newest first. Ids grow with time, so a period bounds the ids that are read. Each group of
 * statuses is read from its own index. No locks. Indexes: audios_id_idx, audios_unsettled, audios_unmade; for one user,
 * audios_pkey.
 */
export function readNarrations(
  db: Reader,
  { window, selection }: { window: Window<string>; selection: NarrationSelection },
): Promise<AudioView[]> {
  const { userId, statuses, from, to } = selection;
  const { within, page } = keysetOf(window, byId(Prisma.sql`a.id`, 'descending'));
  const conditions = Prisma.sql`
    ${userId === null ? Prisma.empty : Prisma.sql`AND a.user_id = ${userId}::uuid`}
    ${from === null ? Prisma.empty : Prisma.sql`AND a.created_at >= ${from} AND a.id >= ${shifted(from, -CLOCKS_APART_MS)}::uuid`}
    ${to === null ? Prisma.empty : Prisma.sql`AND a.created_at < ${to} AND a.id < ${shifted(to, CLOCKS_APART_MS)}::uuid`}
    ${within}`;
  if (statuses === null)
    return db.$queryRaw<
      AudioView[]
    >`SELECT ${COLUMNS} FROM audios a WHERE true ${conditions} ${page}`;
  const parts = GROUPS.filter(([group]) => group.some((status) => statuses.includes(status))).map(
    ([, inGroup]) => Prisma.sql`(
      SELECT a.* FROM audios a
      WHERE ${inGroup} AND a.status = ANY(${statuses}::audio_status[]) ${conditions} ${page})`,
  );
  if (parts.length === 0) return Promise.resolve([]);
  return db.$queryRaw<AudioView[]>`
    SELECT ${COLUMNS} FROM (${Prisma.join(parts, ' UNION ALL ')}) a ${page}`;
}
