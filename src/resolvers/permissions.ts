import { middleware, type IMiddleware, type IMiddlewareGenerator } from 'graphql-middleware';
import { allow, deny, rule, shield } from 'graphql-shield';
import { forbidden, unauthenticated } from '../domain/errors.js';
import type { UserView } from '../services/accounts/people.js';
import type { Context } from './context.js';

/**
 * Who may do what, on one page. A Query, Mutation or Subscription field that is not named here is denied. Ownership
 * is not decided here but in the `where` of the queries: what belongs to someone else is not found.
 */

const isSignedIn = rule('isSignedIn')((_parent, _args, { viewer, refused }: Context) =>
  viewer === null ? (refused ?? unauthenticated()) : true,
);

const isAdministrator = rule('isAdministrator')((_parent, _args, { viewer, refused }: Context) => {
  if (viewer === null) return refused ?? unauthenticated();
  return viewer.role === 'ADMIN' ? true : forbidden();
});

/** Also one whose access token has expired, and whose cookie has not. */
const isSignedInDevice = rule('isSignedInDevice')(
  (_parent, _args, { viewer, refused, refreshCookie }: Context) =>
    viewer === null && refreshCookie.read() === null ? (refused ?? unauthenticated()) : true,
);

/** A token came along and was refused: then “nobody is signed in” would be the wrong answer. */
const hasNoBadToken = rule('hasNoBadToken')(
  (_parent, _args, { refused }: Context) => refused ?? true,
);

/** What is private of a person, who may be someone else: the actor of a movement, for example. */
const isSelfOrAdministrator = rule('isSelfOrAdministrator')(
  (user: Pick<UserView, 'id'>, _args, { viewer, justSignedIn }: Context) =>
    viewer?.userId === user.id || viewer?.role === 'ADMIN' || justSignedIn.has(user.id)
      ? true
      : forbidden(),
);

const permissions = {
  Query: {
    '*': deny,
    me: hasNoBadToken,
    node: allow,
    stories: allow,
    story: allow,
    voices: allow,
    audio: isSignedIn,
    quoteAudio: isSignedIn,
    creditLots: isSignedIn,
    creditHistory: isSignedIn,
    user: isAdministrator,
    creditReport: isAdministrator,
    ledgerHealth: isAdministrator,
    users: isAdministrator,
    jobQueues: isAdministrator,
    auditLog: isAdministrator,
  },
  Mutation: {
    '*': deny,
    register: allow,
    login: allow,
    refreshSession: allow,
    logout: isSignedInDevice,
    revokeSession: isSignedIn,
    revokeOtherSessions: isSignedIn,
    changePassword: isSignedIn,
    requestPasswordReset: allow,
    resetPassword: allow,
    verifyEmail: allow,
    resendVerification: isSignedIn,
    updateProfile: isSignedIn,
    deleteAccount: isSignedIn,
    synthesizeAudio: isSignedIn,
    cancelAudio: isSignedIn,
    grantCredits: isAdministrator,
    bulkGrantCredits: isAdministrator,
    revokeCreditLot: isAdministrator,
    refundAudio: isAdministrator,
    setMonthlyCredits: isAdministrator,
    runMaintenance: isAdministrator,
    redriveJobs: isAdministrator,
    setUserRole: isAdministrator,
    suspendUser: isAdministrator,
    reinstateUser: isAdministrator,
    createStory: isAdministrator,
    updateStory: isAdministrator,
    deleteStory: isAdministrator,
  },
  Subscription: {
    '*': deny,
    audioUpdated: isSignedIn,
    creditsUpdated: isSignedIn,
  },
  User: {
    email: isSelfOrAdministrator,
    emailVerified: isSelfOrAdministrator,
    suspended: isSelfOrAdministrator,
    createdAt: isSelfOrAdministrator,
    monthlyCredits: isSelfOrAdministrator,
    credits: isSelfOrAdministrator,
    creditLots: isSelfOrAdministrator,
    creditHistory: isSelfOrAdministrator,
    audio: isSelfOrAdministrator,
    sessions: isSelfOrAdministrator,
  },
};

/**
 * `debug` lets the rules' and the services' own errors through; formatError decides what leaves. The
 * shield would wrap every field of the schema, also those without a rule, and that costs more than all
 * the rest of a request: what has no rule is left alone.
 */
export function createShield(): IMiddlewareGenerator<unknown, Context, unknown> {
  const whole = shield(permissions, {
    debug: true,
    fallbackRule: allow,
    fallbackError: forbidden(),
  });
  return middleware<unknown, Context, unknown>((schema) => {
    const wrapped = whole.generate(schema) as Record<string, Record<string, unknown>>;
    const ruled = Object.entries<object>(permissions).map(([type, rules]) => {
      const fields = Object.entries(wrapped[type] ?? {});
      return [type, Object.fromEntries(fields.filter(([field]) => '*' in rules || field in rules))];
    });
    return Object.fromEntries(ruled) as IMiddleware;
  });
}

/** For the test that every field has a rule. */
export const RULES = permissions;
