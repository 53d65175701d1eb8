/** What is limited by how often it is asked for, whichever process is asked. */
export const LIMITS = [
  'login',
  'register',
  'refresh',
  'reset',
  'resend',
  'mailedTokens',
  'synthesize',
  'creditReads',
  'adminWrites',
  'deleteAccount',
] as const;

export type Limit = (typeof LIMITS)[number];

/** At most so many times in the seconds that follow the first of them. */
export interface Rate {
  readonly times: number;
  readonly seconds: number;
}
