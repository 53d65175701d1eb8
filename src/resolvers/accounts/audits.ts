import { OperationTypeNode, type GraphQLResolveInfo } from 'graphql';
import type { IMiddleware } from 'graphql-middleware';
import type { UserView } from '../../services/accounts/people.sql.js';
import { readKey } from '../../services/audit.js';
import type { TransactionView } from '../../services/credits/credits.js';
import type { AudioView } from '../../services/narrations/audios.js';
import type { FoundNode } from '../../services/nodes.js';
import { seesEverybody } from '../../services/sessions/viewer.js';
import type { Context, Middleware } from '../context.js';
import type { Connection } from '../paging.js';
import { RULES } from '../permissions.js';

/** Records that an administrator or auditor reads another user's private data. @throws BUSY when that fails */
async function record(
  { viewer, justSignedIn, loaders }: Context,
  userId: string,
  { operation }: GraphQLResolveInfo,
): Promise<void> {
  if (viewer === null || !seesEverybody(viewer)) return;
  if (viewer.userId === userId || justSignedIn.has(userId)) return;
  const inMutation = operation.operation === OperationTypeNode.MUTATION;
  await loaders.reads.load(readKey({ actorId: viewer.userId, userId, inMutation }));
}

const readOfField: Middleware<Pick<UserView, 'id'>> = async (
  resolve,
  user,
  args,
  context,
  info,
) => {
  await record(context, user.id, info);
  return resolve(user, args, context, info);
};

const readOfOne: Middleware = async (resolve, parent, args, context, info) => {
  const user = (await resolve(parent, args, context, info)) as UserView;
  await record(context, user.id, info);
  return user;
};

const readOfPage: Middleware = async (resolve, parent, args, context, info) => {
  const page = (await resolve(parent, args, context, info)) as Connection<UserView>;
  await Promise.all(page.nodes.map(({ id }) => record(context, id, info)));
  return page;
};

const readOfTransaction: Middleware = async (resolve, parent, args, context, info) => {
  const transaction = (await resolve(parent, args, context, info)) as TransactionView;
  await record(context, transaction.userId, info);
  return transaction;
};

const readOfNarrations: Middleware = async (resolve, parent, args, context, info) => {
  const page = (await resolve(parent, args, context, info)) as Connection<AudioView>;
  await Promise.all(page.nodes.map(({ userId }) => record(context, userId, info)));
  return page;
};

const readOfTarget: Middleware = async (resolve, parent, args, context, info) => {
  const node = (await resolve(parent, args, context, info)) as FoundNode | null;
  if (node?.kind === 'Audio' && node.userId !== undefined) await record(context, node.userId, info);
  return node;
};

const readOfBalance: Middleware<{ userId: string }> = async (
  resolve,
  recipient,
  args,
  context,
  info,
) => {
  await record(context, recipient.userId, info);
  return resolve(recipient, args, context, info);
};

/** Among nodes, only other users' transactions are private. Reads of a user are recorded at the user's fields. */
const readOfNode: Middleware = async (resolve, parent, args, context, info) => {
  const node = (await resolve(parent, args, context, info)) as FoundNode;
  if (node.kind === 'CreditTransaction' && node.userId !== undefined)
    await record(context, node.userId, info);
  return node;
};

/**
 * Audits every field that the shield shows only to its user, to administrators and to auditors, on whichever path a query
 * reaches it.
 */
export const audits: IMiddleware = {
  Query: {
    user: readOfOne,
    users: readOfPage,
    transaction: readOfTransaction,
    node: readOfNode,
    narrations: readOfNarrations,
  },
  FailedJob: { target: readOfTarget },
  BulkGrantRecipient: { balance: readOfBalance },
  User: Object.fromEntries(Object.keys(RULES.User).map((field) => [field, readOfField])),
};
