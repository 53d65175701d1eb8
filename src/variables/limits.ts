import type { z } from 'zod';
import { LIMITS, type Limit, type Rate } from '../domain/limits.js';
import { tableOf } from '../domain/objects.js';
import type { variables } from '../variables.js';

/** The limits of the environment, multiplied by RATE_LIMIT_FACTOR. */
export function limitsOf(env: z.infer<typeof variables>): Readonly<Record<Limit, Rate>> {
  const rates: Record<Limit, Rate> = {
    login: env.RATE_LIMIT_LOGIN,
    register: env.RATE_LIMIT_REGISTER,
    refresh: env.RATE_LIMIT_REFRESH,
    reset: env.RATE_LIMIT_RESET,
    resend: env.RATE_LIMIT_RESEND,
    mailedTokens: env.RATE_LIMIT_MAILED_TOKENS,
    synthesize: env.RATE_LIMIT_SYNTHESIZE,
    listening: env.RATE_LIMIT_LISTENING,
    samples: env.RATE_LIMIT_SAMPLES,
    creditReads: env.RATE_LIMIT_CREDIT_READS,
    adminWrites: env.RATE_LIMIT_ADMIN_WRITES,
    deleteAccount: env.RATE_LIMIT_DELETE_ACCOUNT,
    mails: env.RATE_LIMIT_MAILS,
  };
  return tableOf(LIMITS, (limit) => {
    const { times, seconds } = rates[limit];
    return { times: Math.max(1, Math.round(times * env.RATE_LIMIT_FACTOR)), seconds };
  });
}
