import type { IMiddleware } from 'graphql-middleware';
import { account, address, creditReads, creditReadsInAnswer, limited } from './limits/counting.js';

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
  Credits: { balanceAt: creditReads },
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
