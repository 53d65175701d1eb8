/** The rate limits. They are counted over all processes together. */
export const LIMITS = [
  'login',
  'register',
  'refresh',
  'reset',
  'resend',
  'mailedTokens',
  'synthesize',
  'listening',
  'samples',
  'creditReads',
  'adminWrites',
  'deleteAccount',
  'mails',
] as const;

export type Limit = (typeof LIMITS)[number];

/** At most `times` requests in `seconds`, counted from the first of them. */
export interface Rate {
  readonly times: number;
  readonly seconds: number;
}
