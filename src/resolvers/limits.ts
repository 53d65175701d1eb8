import { responsePathAsArray, type GraphQLFieldResolver, type GraphQLResolveInfo } from 'graphql';
import type { IMiddleware } from 'graphql-middleware';
import { countAgainstLimit, type Counted } from '../services/limits.js';
import type { Limit } from '../domain/limits.js';
import type { Context } from './context.js';

/** Whom a field counts against. */
type Rule = (context: Context, args: { readonly email?: unknown }) => Counted | null;

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

/** The account that is named, whoever asks. */
const addressee =
  (limit: Limit): Rule =>
  (_context, { email }) => ({ limit, by: 'account', whose: String(email).trim().toLowerCase() });

/** Counts a field once for each place where it stands in the document, however often a list leads there. */
const limited =
  (...rules: readonly Rule[]) =>
  async (
    resolve: GraphQLFieldResolver<unknown, Context>,
    parent: unknown,
    args: object,
    context: Context,
    info: GraphQLResolveInfo,
  ): Promise<unknown> => {
    const place = placeOf(info);
    if (!context.counted.has(place)) {
      context.counted.add(place);
      for (const rule of rules) {
        const counted = rule(context, args);
        if (counted !== null) await countAgainstLimit(context.app, counted);
      }
    }
    return resolve(parent, args, context, info);
  };

const placeOf = ({ path }: GraphQLResolveInfo): string =>
  responsePathAsArray(path)
    .filter((part) => typeof part === 'string')
    .join('.');

const creditReads = limited(account('creditReads'));
const adminWrites = limited(account('adminWrites'));

/**
 * How often what may be asked, on one page. Each field counts by itself, so that many under other names in
 * one document count as many. Sign-ins are counted by account as well, in the service, which knows from
 * where its owner comes.
 */
export const limits: IMiddleware = {
  Query: { creditLots: creditReads, creditHistory: creditReads },
  User: { credits: creditReads, creditLots: creditReads, creditHistory: creditReads },
  Mutation: {
    login: limited(address('login')),
    register: limited(address('register')),
    refreshSession: limited(address('refresh')),
    changePassword: limited(account('login')),
    requestPasswordReset: limited(address('reset'), addressee('reset')),
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
