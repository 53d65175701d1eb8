/** The purpose of a mailed token. */
export type EmailPurpose = 'VERIFY' | 'RESET' | 'CHANGE';
