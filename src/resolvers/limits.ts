import { OperationTypeNode, type GraphQLResolveInfo } from 'graphql';
import type { IMiddleware } from 'graphql-middleware';
import type { DomainError } from '../domain/errors.js';
import type { Limit } from '../domain/limits.js';
import { countAgainstLimit, tallyAgainstLimit, type Counted } from '../services/limits.js';
import type { Context, Middleware } from './context.js';
import { placeOf, placesOf, selectedFields } from './documents/selected-fields.js';

/** Whom a field counts against. */
type Rule = (context: Context) => Counted | null;

/** Counts by client address, for fields that strangers may ask for. */
const address =
  (limit: Limit): Rule =>
  ({ device }) => ({ limit, by: 'address', whose: device.ipAddress ?? 'unknown' });

/** Counts by account, from any address. A user who signs in with this request is not counted. */
const account =
  (limit: Limit): Rule =>
  ({ viewer }) =>
    viewer === null ? null : { limit, by: 'account', whose: viewer.userId };

/**
 * Counts a mutation. Mutations run one after the other, and stop at the first that is refused. So all mutations of one name
 * are counted with the first of them, and each counts whether or not it runs.
 */
const limited =
  (rule: Rule): Middleware =>
  async (resolve, parent, args, context, info) => {
    const counted = rule(context);
    if (counted !== null) {
      const [first, ...others] = namesOf(info);
      if (info.path.key === first) await countAgainstLimit(context.app, counted, 1 + others.length);
    }
    return resolve(parent, args, context, info);
  };

/** The names under which the operation asks for this mutation, in the order in which they run. */
const namesOf = (info: GraphQLResolveInfo): readonly string[] =>
  [...selectedFields([info.operation], info)]
    .filter(([, fields]) => fields.some(({ name }) => name.value === info.fieldName))
    .map(([name]) => name);

/** The fields that read points. They are counted by these names, which no field of another type has. */
const POINT_READS = {
  Query: ['creditLots', 'creditHistory', 'creditStatement', 'statement'],
  User: ['credits', 'creditLots', 'creditHistory'],
  Credits: ['balanceAt', 'series'],
};
const NAMES_OF_READS: ReadonlySet<string> = new Set(Object.values(POINT_READS).flat());

/** The reads of points that are beyond the limit, by their places. */
type RefusedReads = ReadonlyMap<string, DomainError>;

/**
 * By the context of an operation, or of one event of a subscription, because each counts its reads once. Null when there
 * is nothing to count.
 */
const countedReads = new WeakMap<Context, Promise<RefusedReads> | null>();

/**
 * Counts all reads of points of an operation with the first that is allowed, because counting is the most expensive part
 * of a request. Each place in the document counts once, however many items a list has.
 */
function countReads(context: Context, info: GraphQLResolveInfo): Promise<RefusedReads> | null {
  const known = countedReads.get(context);
  if (known !== undefined) return known;
  const counted = account('creditReads')(context);
  const places = counted === null ? [] : placesOf([info.operation], NAMES_OF_READS, info);
  const counting =
    counted === null || places.length === 0 ? null : tallyReads(context, counted, places);
  countedReads.set(context, counting);
  return counting;
}

async function tallyReads(
  { app }: Context,
  counted: Counted,
  places: readonly string[],
): Promise<RefusedReads> {
  const { within, refusal } = await tallyAgainstLimit(app, counted, places.length);
  return new Map(refusal === null ? [] : places.slice(within).map((place) => [place, refusal]));
}

/** Refuses what is beyond the limit in a query or an event. Reads in the answer of a mutation were counted before it. */
const pointRead: Middleware = async (resolve, parent, args, context, info) => {
  if (info.operation.operation !== OperationTypeNode.MUTATION) {
    const refusal = (await countReads(context, info))?.get(placeOf(info));
    if (refusal !== undefined) throw refusal;
  }
  return resolve(parent, args, context, info);
};

/** Counts the reads in the answers of all mutations before the first is done, because no answer must be lost. */
const readsInAnswers: Middleware = async (resolve, parent, args, context, info) => {
  const counting = countReads(context, info);
  const [refusal] = counting === null ? [] : (await counting).values();
  if (refusal !== undefined) throw refusal;
  return resolve(parent, args, context, info);
};

/** For every mutation. A user who signs in with it is not known yet, and is only counted by address. */
export const limitsOfAnswers: IMiddleware = { Mutation: readsInAnswers };

const pointReads = (fields: readonly string[]): Record<string, Middleware> =>
  Object.fromEntries(fields.map((field) => [field, pointRead]));

const adminWrites = limited(account('adminWrites'));

/**
 * All rate limits of fields, on one page. The services also count sign-ins and resets, by the account that these name.
 */
export const limits: IMiddleware = {
  Query: pointReads(POINT_READS.Query),
  User: pointReads(POINT_READS.User),
  Credits: pointReads(POINT_READS.Credits),
  Mutation: {
    login: limited(address('login')),
    register: limited(address('register')),
    refreshSession: limited(address('refresh')),
    changePassword: limited(account('login')),
    requestPasswordReset: limited(address('reset')),
    resetPassword: limited(address('mailedTokens')),
    verifyEmail: limited(address('mailedTokens')),
    resendVerification: limited(account('resend')),
    changeEmail: limited(account('resend')),
    deleteAccount: limited(account('deleteAccount')),
    exportMyData: limited(account('deleteAccount')),
    synthesizeAudio: limited(account('synthesize')),
    // The services count it by account. With a cookie alone, the account is not known yet.
    reportListening: limited((context) =>
      context.viewer === null ? address('listening')(context) : null,
    ),
    addBookmark: limited(account('listening')),
    removeBookmark: limited(account('listening')),
    setFavourite: limited(account('listening')),
    deleteAudio: limited(account('listening')),
    markNoticesRead: limited(account('listening')),
    updateSettings: limited(account('listening')),
    grantCredits: adminWrites,
    bulkGrantCredits: adminWrites,
    revokeCreditLot: adminWrites,
    revokeBulkGrant: adminWrites,
    refundAudio: adminWrites,
    setMonthlyCredits: adminWrites,
    approveProposal: adminWrites,
    declineProposal: adminWrites,
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
