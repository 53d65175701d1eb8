import type { IMiddleware } from 'graphql-middleware';
import { account, address, creditReads, creditReadsInAnswer, limited } from './limits/counting.js';

const adminWrites = limited(account('adminWrites'));

/** For every mutation. A user who signs in with it is not known yet, and is only counted by address. */
export const limitsOfAnswers: IMiddleware = { Mutation: creditReadsInAnswer };

/**
 * All rate limits of fields, on one page. The services also count sign-ins and resets, by the account that these name.
 */
export const limits: IMiddleware = {
  Query: {
    creditLots: creditReads,
    creditHistory: creditReads,
    creditStatement: creditReads,
    statement: creditReads,
  },
  User: { credits: creditReads, creditLots: creditReads, creditHistory: creditReads },
  Credits: { balanceAt: creditReads, series: creditReads },
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
