import {
  middleware,
  type IMiddlewareFieldMap,
  type IMiddlewareGenerator,
} from 'graphql-middleware';
import { allow, deny, rule, shield } from 'graphql-shield';
import { forbidden, unauthenticated } from '../domain/errors.js';
import type { UserView } from '../services/accounts/people.sql.js';
import { seesEverybody, type Viewer } from '../services/sessions/viewer.js';
import type { Context } from './context.js';

/**
 * Who may do what, on one page. A Query, Mutation or Subscription field that is not named here is denied. Ownership
 * is not decided here but in the `where` of the queries: what belongs to someone else is not found.
 */

const isSignedIn = rule('isSignedIn')((_parent, _args, { viewer, refused }: Context) =>
  viewer === null ? (refused ?? unauthenticated()) : true,
);

const forRole = (
  name: string,
  isAllowed: (viewer: Viewer) => boolean,
): ReturnType<ReturnType<typeof rule>> =>
  rule(name)((_parent, _args, { viewer, refused }: Context) => {
    if (viewer === null) return refused ?? unauthenticated();
    return isAllowed(viewer) ? true : forbidden();
  });

const isAdministrator = forRole('isAdministrator', ({ role }) => role === 'ADMIN');
const mayAudit = forRole('mayAudit', seesEverybody);
/** Auditors change nothing but their own account: no points move and no work is done for them. */
const mayNarrate = forRole('mayNarrate', ({ role }) => role !== 'AUDITOR');

/** Also allows a device whose access token has expired but that still has its cookie. */
const isSignedInDevice = rule('isSignedInDevice')(
  (_parent, _args, { viewer, refused, refreshCookie }: Context) =>
    viewer === null && refreshCookie.read() === null ? (refused ?? unauthenticated()) : true,
);

/** Refuses a request with a bad token, because null would wrongly say that the client is a stranger. */
const hasNoBadToken = rule('hasNoBadToken')(
  (_parent, _args, { refused }: Context) => refused ?? true,
);

/** For the private fields of a user, who may not be the viewer: the actor of a transaction, for example. */
const isSelfOrMayAudit = rule('isSelfOrMayAudit')(
  (user: Pick<UserView, 'id'>, _args, { viewer, justSignedIn }: Context) =>
    viewer?.userId === user.id || seesEverybody(viewer) || justSignedIn.has(user.id)
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
    settings: allow,
    audio: isSignedIn,
    continueListening: isSignedIn,
    quoteAudio: isSignedIn,
    creditLots: isSignedIn,
    creditHistory: isSignedIn,
    creditStatement: isSignedIn,
    statement: isSignedIn,
    transaction: isSignedIn,
    user: mayAudit,
    creditReport: mayAudit,
    creditLiability: mayAudit,
    ledgerHealth: mayAudit,
    users: mayAudit,
    jobQueues: mayAudit,
    auditLog: mayAudit,
    allStories: mayAudit,
    narrations: mayAudit,
    failedJobs: mayAudit,
    creditSeries: mayAudit,
    proposals: mayAudit,
    proposal: mayAudit,
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
    changeEmail: isSignedIn,
    exportMyData: isSignedIn,
    updateProfile: isSignedIn,
    deleteAccount: isSignedIn,
    reportListening: isSignedInDevice,
    addBookmark: isSignedIn,
    removeBookmark: isSignedIn,
    setFavourite: isSignedIn,
    markNoticesRead: isSignedIn,
    updateSettings: isSignedIn,
    synthesizeAudio: mayNarrate,
    cancelAudio: mayNarrate,
    deleteAudio: mayNarrate,
    grantCredits: isAdministrator,
    bulkGrantCredits: isAdministrator,
    revokeCreditLot: isAdministrator,
    revokeBulkGrant: isAdministrator,
    refundAudio: isAdministrator,
    setMonthlyCredits: isAdministrator,
    approveProposal: isAdministrator,
    declineProposal: isAdministrator,
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
    changes: isSignedIn,
    audioUpdated: isSignedIn,
    creditsUpdated: isSignedIn,
  },
  User: {
    email: isSelfOrMayAudit,
    emailVerified: isSelfOrMayAudit,
    pendingEmail: isSelfOrMayAudit,
    suspended: isSelfOrMayAudit,
    createdAt: isSelfOrMayAudit,
    monthlyCredits: isSelfOrMayAudit,
    credits: isSelfOrMayAudit,
    creditLots: isSelfOrMayAudit,
    creditHistory: isSelfOrMayAudit,
    audio: isSelfOrMayAudit,
    sessions: isSelfOrMayAudit,
    locale: isSelfOrMayAudit,
    mailOn: isSelfOrMayAudit,
    notices: isSelfOrMayAudit,
  },
};

/**
 * `debug` lets the rules' and the services' own errors through; formatError decides what leaves. Only fields with a
 * rule are wrapped, because the shield would wrap every field of the schema, and that costs more than all the rest of a
 * request.
 */
export function createShield(): IMiddlewareGenerator<unknown, Context, unknown> {
  const whole = shield(permissions, {
    debug: true,
    fallbackRule: allow,
    fallbackError: forbidden(),
  });
  return middleware<unknown, Context, unknown>((schema) => {
    // The shield wraps each field of each type.
    const wrapped = whole.generate(schema) as Record<string, IMiddlewareFieldMap>;
    const ruled = Object.entries<object>(permissions).map(([type, rules]) => {
      const fields = Object.entries(wrapped[type] ?? {});
      const kept = fields.filter(([field]) => '*' in rules || field in rules);
      return [type, Object.fromEntries(kept)] as const;
    });
    return Object.fromEntries(ruled);
  });
}

/** For the test that every field has a rule. */
export const RULES = permissions;
