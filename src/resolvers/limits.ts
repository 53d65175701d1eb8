import {
  Kind,
  responsePathAsArray,
  type GraphQLFieldResolver,
  type GraphQLResolveInfo,
  type SelectionSetNode,
} from 'graphql';
import type { IMiddleware } from 'graphql-middleware';
import { countAgainstLimit, type Counted } from '../services/limits.js';
import type { Limit } from '../domain/limits.js';
import type { Context } from './context.js';

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
 * Counts a field once for each place where it stands in the document, however often a list leads there.
 * Mutations run one after the other and end with the first that is refused: all of the same name are counted
 * with the first, so that many count as many whatever comes of them.
 */
const limited =
  (rule: Rule) =>
  async (
    resolve: GraphQLFieldResolver<unknown, Context>,
    parent: unknown,
    args: object,
    context: Context,
    info: GraphQLResolveInfo,
  ): Promise<unknown> => {
    const together = info.parentType === info.schema.getMutationType();
    const place = together ? info.fieldName : placeOf(info);
    const counted = rule(context);
    if (counted !== null && !context.counted.has(place)) {
      context.counted.add(place);
      await countAgainstLimit(context.app, counted, together ? namesOf(info).size : 1);
    }
    return resolve(parent, args, context, info);
  };

const placeOf = ({ path }: GraphQLResolveInfo): string =>
  responsePathAsArray(path)
    .filter((part) => typeof part === 'string')
    .join('.');

/** The names under which the operation asks for this field of the mutation. */
function namesOf({ operation, fragments, fieldName }: GraphQLResolveInfo): ReadonlySet<string> {
  const names = new Set<string>();
  const seen = new Set<string>();
  const look = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) look(selection.selectionSet);
      else if (selection.kind === Kind.FRAGMENT_SPREAD) {
        const fragment = fragments[selection.name.value];
        if (fragment === undefined || seen.has(selection.name.value)) continue;
        seen.add(selection.name.value);
        look(fragment.selectionSet);
      } else if (selection.name.value === fieldName) names.add(selection.alias?.value ?? fieldName);
    }
  };
  look(operation.selectionSet);
  return names;
}

const creditReads = limited(account('creditReads'));
const adminWrites = limited(account('adminWrites'));

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
