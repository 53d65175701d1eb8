import { z } from 'zod';
import type { App } from '../../app.js';
import { notFound } from '../../../domain/errors.js';
import { isId } from '../../../domain/ids.js';
import {
  cursorsOf,
  pageOf,
  windowOf,
  type Page,
  type PageArguments,
} from '../../../domain/paging.js';
import {
  readProposal,
  readProposals,
  readRecipients,
  type GrantProposal,
  type GrantProposalState,
  type ProposedRecipient,
} from './proposals.sql.js';

export type { GrantProposal, GrantProposalState, ProposedRecipient };

const cursors = cursorsOf('proposals', z.uuid());

export interface GrantProposalFilter extends PageArguments {
  readonly state?: readonly GrantProposalState[] | null | undefined;
}

/** Proposals, newest first. @throws BAD_USER_INPUT */
export async function listProposals(
  { db }: Pick<App, 'db'>,
  args: GrantProposalFilter,
): Promise<Page<GrantProposal>> {
  const window = windowOf(args, cursors);
  const rows = await readProposals(db, { window, states: args.state ?? null });
  return pageOf(rows, window, cursors, (proposal) => proposal.id);
}

/** @returns undefined when no proposal has this id */
export const findProposal = (
  { db }: Pick<App, 'db'>,
  id: string,
): Promise<GrantProposal | undefined> =>
  isId(id) ? readProposal(db, id) : Promise.resolve(undefined);

/** @throws NOT_FOUND */
export async function requireProposal(app: Pick<App, 'db'>, id: string): Promise<GrantProposal> {
  const proposal = await findProposal(app, id);
  if (proposal === undefined) throw notFound('proposal');
  return proposal;
}

/** The first hundred recipients of each proposal. */
export async function recipientsByProposal(
  { db }: Pick<App, 'db'>,
  ids: readonly string[],
): Promise<Map<string, readonly ProposedRecipient[]>> {
  const rows = await readRecipients(db, ids);
  return new Map(rows.map(({ id, recipients }) => [id, recipients]));
}
