/**
 * The names of operations that metrics tell apart: those of the app, those of the examples in GraphiQL, and the
 * introspection of tools. A client can use any other name, and all of those are `other`.
 */
const KNOWN_NAMES: ReadonlySet<string> = new Set([
  'AccountMails',
  'AccountMe',
  'AddBookmark',
  'AudioSentences',
  'Balance',
  'Cancel',
  'ChangePassword',
  'Changes',
  'ContinueListening',
  'DeleteAccount',
  'Devices',
  'FollowIt',
  'FollowMyPoints',
  'GetUser',
  'Grant',
  'Hear',
  'IntrospectionQuery',
  'Library',
  'LibraryStories',
  'Login',
  'Logout',
  'MarkNoticesRead',
  'MyNarrations',
  'Narrate',
  'Notices',
  'PlayerAudio',
  'Quote',
  'Refresh',
  'Register',
  'RemoveBookmark',
  'ReportListening',
  'RequestPasswordReset',
  'ResendVerification',
  'ResetPassword',
  'RevokeOtherSessions',
  'RevokeSession',
  'SetFavourite',
  'SignIn',
  'SignSettings',
  'StopIt',
  'StoryPage',
  'StoryVoices',
  'UnreadNotices',
  'UpdateProfile',
  'UpdateSettings',
  'VerifyEmail',
  'Wallet',
  'WalletHistory',
  'WalletStories',
  'WaysToPoints',
]);

/** The label of an operation. Its values are a closed list, because clients invent names. */
export function operationLabel(name: string | null | undefined): string {
  if (name == null || name === '') return 'unnamed';
  return KNOWN_NAMES.has(name) ? name : 'other';
}
