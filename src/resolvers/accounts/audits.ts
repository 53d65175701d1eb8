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

/** Records the read of a field of an object before it is resolved. */
const readOf =
  <Parent>(userOf: (parent: Parent) => string): Middleware<Parent> =>
  async (resolve, parent, args, context, info) => {
    await record(context, userOf(parent), info);
    return resolve(parent, args, context, info);
  };

/** Records the reads of the users whose data an answer has. */
const readIn =
  <Result>(usersOf: (result: Result) => readonly string[]): Middleware<unknown, Result> =>
  async (resolve, parent, args, context, info) => {
    const result = await resolve(parent, args, context, info);
    await Promise.all(usersOf(result).map((userId) => record(context, userId, info)));
    return result;
  };

/** The owner of a node, if it is of this kind. */
const ownerOf = (node: FoundNode | null, kind: FoundNode['kind']): readonly string[] =>
  node?.kind === kind && node.userId !== undefined ? [node.userId] : [];

const readOfField = readOf(({ id }: Pick<UserView, 'id'>) => id);
const readOfBalance = readOf(({ userId }: { userId: string }) => userId);
const readOfOne = readIn(({ id }: UserView) => [id]);
const readOfPage = readIn(({ nodes }: Connection<UserView>) => nodes.map(({ id }) => id));
const readOfTransaction = readIn(({ userId }: TransactionView) => [userId]);
const readOfNarrations = readIn(({ nodes }: Connection<AudioView>) =>
  nodes.map(({ userId }) => userId),
);
const readOfTarget = readIn((node: FoundNode | null) => ownerOf(node, 'Audio'));
/** Among nodes, only other users' transactions are private. Reads of a user are recorded at the user's fields. */
const readOfNode = readIn((node: FoundNode) => ownerOf(node, 'CreditTransaction'));

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
