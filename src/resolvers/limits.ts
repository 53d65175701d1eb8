import {
  getDirectiveValues,
  GraphQLIncludeDirective,
  GraphQLSkipDirective,
  Kind,
  OperationTypeNode,
  responsePathAsArray,
  type FieldNode,
  type GraphQLFieldResolver,
  type GraphQLResolveInfo,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import type { IMiddleware } from 'graphql-middleware';
import { countAgainstLimit, tallyAgainstLimit, type Counted } from '../services/limits.js';
import type { Limit } from '../domain/limits.js';
import type { Context } from './context.js';

type Middleware = (
  resolve: GraphQLFieldResolver<unknown, Context>,
  parent: unknown,
  args: object,
  context: Context,
  info: GraphQLResolveInfo,
) => Promise<unknown>;

/** Whom a field counts against. */
type Rule = (context: Context) => Counted | null;

/** For what strangers may ask: whoever asks from there. */
const address =
  (limit: Limit): Rule =>
  ({ device }) => ({ limit, by: 'address', whose: device.ipAddress ?? 'unknown' });

/** For what needs nothing but reading, or is done by people who are trusted: these go on uncounted. */
const GO_ON_UNCOUNTED: readonly Limit[] = ['creditReads', 'adminWrites'];

/** For the signed-in: their account, from wherever they ask. Who signs in with this very request is not counted. */
const account =
  (limit: Limit): Rule =>
  ({ viewer }) => {
    if (viewer === null) return null;
    const goOnUncounted = GO_ON_UNCOUNTED.includes(limit);
    return { limit, by: 'account', whose: viewer.userId, goOnUncounted };
  };

/**
 * Counts a mutation. They run one after the other and end with the first that is refused: all of the same name are
 * counted with the first, so that many count as many whatever comes of them.
 */
const limited =
  (rule: Rule): Middleware =>
  async (resolve, parent, args, context, info) => {
    const counted = rule(context);
    if (counted !== null && !context.counted.has(info.fieldName)) {
      context.counted.add(info.fieldName);
      await countAgainstLimit(context.app, counted, namesOf(info).size);
    }
    return resolve(parent, args, context, info);
  };

/** What is asked for: the fragments, and the variables that leave parts of it out. */
type Asked = Pick<GraphQLResolveInfo, 'fragments' | 'variableValues'>;

/** The fields of a selection, those of its fragments with them, each fragment once: what it adds again is there. */
function* fieldsOf(
  { selections }: SelectionSetNode,
  asked: Asked,
  seen = new Set<string>(),
): Generator<FieldNode> {
  for (const selection of selections) {
    if (isLeftOut(selection, asked)) continue;
    if (selection.kind === Kind.FIELD) yield selection;
    else if (selection.kind === Kind.INLINE_FRAGMENT)
      yield* fieldsOf(selection.selectionSet, asked, seen);
    else if (!seen.has(selection.name.value)) {
      seen.add(selection.name.value);
      const fragment = asked.fragments[selection.name.value];
      if (fragment !== undefined) yield* fieldsOf(fragment.selectionSet, asked, seen);
    }
  }
}

/** Whether @skip or @include says so. */
const isLeftOut = (selection: SelectionNode, { variableValues }: Asked): boolean =>
  getDirectiveValues(GraphQLSkipDirective, selection, variableValues)?.['if'] === true ||
  getDirectiveValues(GraphQLIncludeDirective, selection, variableValues)?.['if'] === false;

/** The names under which the operation asks for this field of the mutation. */
function namesOf(info: GraphQLResolveInfo): ReadonlySet<string> {
  const fields = [...fieldsOf(info.operation.selectionSet, info)];
  return new Set(
    fields
      .filter(({ name }) => name.value === info.fieldName)
      .map(({ alias, name }) => (alias ?? name).value),
  );
}

const CREDIT_READS: readonly string[] = ['credits', 'creditLots', 'creditHistory'];

/**
 * All of a query, or of an event of a subscription, are counted with the first that is resolved, for counting costs
 * more than all else that a request pays: once for each place where one stands in the document, however often a list
 * leads there. Those in the answer of a mutation are counted before it: once it is done its answer must not be lost.
 */
const creditReads: Middleware = async (resolve, parent, args, context, info) => {
  const counted = account('creditReads')(context);
  if (counted !== null && info.operation.operation !== OperationTypeNode.MUTATION) {
    const { creditReads: reads, app } = context;
    reads.tally ??= tallyAgainstLimit(app, counted, readsBelow([info.operation], info));
    const place = placeOf(info);
    const before = reads.places.get(place) ?? reads.places.size;
    reads.places.set(place, before);
    const { within, refusal } = await reads.tally;
    if (refusal !== null && before >= within) throw refusal;
  }
  return resolve(parent, args, context, info);
};

const placeOf = ({ path }: GraphQLResolveInfo): string =>
  responsePathAsArray(path)
    .filter((part) => typeof part === 'string')
    .join('.');

const creditReadsInAnswer: Middleware = async (resolve, parent, args, context, info) => {
  const counted = account('creditReads')(context);
  const reads = readsBelow(info.fieldNodes, info);
  if (counted !== null && reads > 0) await countAgainstLimit(context.app, counted, reads);
  return resolve(parent, args, context, info);
};

/** At how many places below these, which are one in the answer, points are read. */
function readsBelow(
  nodes: readonly { readonly selectionSet?: SelectionSetNode | undefined }[],
  asked: Asked,
): number {
  const seen = new Set<string>();
  const below = new Map<string, FieldNode[]>();
  for (const { selectionSet } of nodes)
    for (const field of selectionSet === undefined ? [] : fieldsOf(selectionSet, asked, seen)) {
      const name = (field.alias ?? field.name).value;
      const same = below.get(name);
      if (same === undefined) below.set(name, [field]);
      else same.push(field);
    }
  let reads = 0;
  for (const fields of below.values()) {
    const isRead = fields.some(({ name }) => CREDIT_READS.includes(name.value));
    reads += (isRead ? 1 : 0) + readsBelow(fields, asked);
  }
  return reads;
}

const adminWrites = limited(account('adminWrites'));

/** For every mutation; who signs in with one is not known yet, and is counted by the address. */
export const limitsOfAnswers: IMiddleware = { Mutation: creditReadsInAnswer };

/**
 * How often what may be asked, on one page. Sign-ins and resets are counted by the account that they name as
 * well, in their services.
 */
export const limits: IMiddleware = {
  Query: { creditLots: creditReads, creditHistory: creditReads },
  User: { credits: creditReads, creditLots: creditReads, creditHistory: creditReads },
  Mutation: {
    login: limited(address('login')),
    register: limited(address('register')),
    refreshSession: limited(address('refresh')),
    changePassword: limited(account('login')),
    requestPasswordReset: limited(address('reset')),
    resetPassword: limited(address('mailedTokens')),
    verifyEmail: limited(address('mailedTokens')),
    resendVerification: limited(account('resend')),
    deleteAccount: limited(account('deleteAccount')),
    synthesizeAudio: limited(account('synthesize')),
    grantCredits: adminWrites,
    bulkGrantCredits: adminWrites,
    revokeCreditLot: adminWrites,
    refundAudio: adminWrites,
    setMonthlyCredits: adminWrites,
    runMaintenance: adminWrites,
    redriveJobs: adminWrites,
    setUserRole: adminWrites,
    suspendUser: adminWrites,
    reinstateUser: adminWrites,
    createStory: adminWrites,
    updateStory: adminWrites,
    deleteStory: adminWrites,
  },
};
