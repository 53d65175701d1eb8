import type { App } from './app.js';
import { DomainError, notFound } from '../domain/errors.js';
import { isId } from '../domain/ids.js';
import { usersById } from './accounts/people.js';
import { findAuditEntry } from './audit.js';
import { findProposal } from './credits/approvals/proposals.js';
import { findTransactionById, ledgerKey, lotsByKey } from './credits/credits.js';
import { audiosByKey } from './narrations/audios.js';
import { sessionsByKey } from './sessions/devices.js';
import { seesEverybody, type Viewer } from './sessions/viewer.js';
import { findStory } from './stories/stories.js';
import { voicesById } from './stories/voices.js';

export interface FoundNode {
  readonly id: string;
  /** The owner, if it has one. */
  readonly userId?: string;
  /** The name of its type in the schema. */
  readonly kind:
    | 'Story'
    | 'Voice'
    | 'User'
    | 'Session'
    | 'Audio'
    | 'CreditLot'
    | 'CreditTransaction'
    | 'AuditEntry'
    | 'GrantProposal';
}

/**
 * Finds an object by its id: a public one, or one of the viewer's own. Administrators and auditors also find all
 * users, movements, audit entries, proposals and unpublished stories.
 * @throws NOT_FOUND, also for an object that the viewer may not see
 */
export async function findNode(app: App, viewer: Viewer | null, given: string): Promise<FoundNode> {
  if (!isId(given))
    return found('Voice', (await voicesById(app, [given.replaceAll('\0', '')])).get(given));
  // The database writes ids in lower case.
  const id = given.toLowerCase();
  const story = await storyOrNull(app, viewer, id);
  if (viewer === null) return found('Story', story);
  const key = ledgerKey(viewer.userId, id);
  const isAllSeen = seesEverybody(viewer);
  const mine = viewer.userId === id || isAllSeen ? await usersById(app, [id]) : null;
  const candidates: [FoundNode['kind'], { id: string } | undefined | null][] = [
    ['Story', story],
    ['User', mine?.get(id)],
    ['Audio', (await audiosByKey(app, [key])).get(key)],
    ['CreditLot', (await lotsByKey(app, [key])).get(key)],
    ['CreditTransaction', await findTransactionById(app, viewer, id)],
    ['AuditEntry', isAllSeen ? await findAuditEntry(app, id) : null],
    ['GrantProposal', isAllSeen ? await findProposal(app, id) : null],
    ['Session', (await sessionsByKey(app, [key])).get(key)],
  ];
  const [kind, row] =
    candidates.find(([, value]) => value != null) ?? (['Story', undefined] as const);
  return found(kind, row);
}

async function storyOrNull(
  app: App,
  viewer: Viewer | null,
  id: string,
): Promise<{ id: string } | null> {
  try {
    return await findStory(app, { id }, { unpublished: seesEverybody(viewer) });
  } catch (error) {
    if (error instanceof DomainError && error.code === 'NOT_FOUND') return null;
    throw error;
  }
}

function found(kind: FoundNode['kind'], row: { id: string } | undefined | null): FoundNode {
  if (row == null) throw notFound('node');
  return { ...row, kind };
}
