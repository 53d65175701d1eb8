import { z } from 'zod';
import type { App } from '../app.js';
import { cursorsOf, pageOf, windowOf, type Page, type PageArguments } from '../../domain/paging.js';
import type { AudioStatus, AudioView } from '../narrations/audios.js';
import { parseRequest, requirePeriod } from '../validation.js';
import { readNarrations } from './narrations.sql.js';

const cursors = cursorsOf('narrations', z.uuid());

export interface NarrationFilter extends PageArguments {
  readonly status?: readonly AudioStatus[] | null;
  readonly userId?: string | null;
  readonly from?: Date | null;
  readonly to?: Date | null;
}

const selecting = z.object({ userId: z.uuid('must be the id of a user').nullish() });

/** All users' narrations, newest first. @throws BAD_USER_INPUT */
export async function listNarrations(
  app: Pick<App, 'db'>,
  args: NarrationFilter,
): Promise<Page<AudioView>> {
  const window = windowOf(args, cursors);
  const { userId = null } = parseRequest(selecting, args);
  const { from = null, to = null } = args;
  requirePeriod({ from, to });
  const statuses = args.status == null ? null : [...new Set(args.status)];
  const selection = { userId, statuses, from, to };
  const rows = await readNarrations(app.db, { window, selection });
  return pageOf(rows, window, cursors, (audio) => audio.id);
}
