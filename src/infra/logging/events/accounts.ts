import { define } from '../define.js';

/** Users, their sign-ins and their mail. */
export const accountEvents = define({
  registered: {
    level: 'info',
    fields: ['userId'],
    when: 'A user has signed up.',
    action: null,
  },
  'signed-in': {
    level: 'info',
    fields: ['userId', 'sessionId'],
    when: 'A user has signed in.',
    action: null,
  },
  'wrong-password': {
    level: 'info',
    fields: ['userId'],
    when: 'A sign-in had the wrong password. An unknown address is not logged.',
    action: 'Many for one user mean that the password is being guessed; the rate limit stops them.',
  },
  'sign-in-refused': {
    level: 'info',
    fields: ['userId'],
    when: 'A suspended user has tried to sign in with the right password.',
    action: null,
  },
  'refresh-token-reused': {
    level: 'warn',
    fields: ['userId', 'sessionId'],
    when: 'A refresh token was used again after its successor was used. The device is signed out.',
    action: 'Ask the user whether the device is theirs. Many at the same time suggest a leak.',
  },
  'address-verified': {
    level: 'info',
    fields: ['userId'],
    when: 'A user has confirmed the e-mail address.',
    action: null,
  },
  'address-change-asked': {
    level: 'info',
    fields: ['userId'],
    when: 'A user has requested a change of the e-mail address. Nothing changes until the mailed link is opened.',
    action: null,
  },
  'address-changed': {
    level: 'info',
    fields: ['userId'],
    when: 'A user has opened the link that was mailed to the new e-mail address, and has that address now.',
    action: null,
  },
  'data-exported': {
    level: 'info',
    fields: ['userId'],
    when: 'An archive of user data, which the user requested, is complete.',
    action: null,
  },
  'password-reset': {
    level: 'info',
    fields: ['userId'],
    when: 'A user has set a new password with a link from a mail.',
    action: null,
  },
  'password-changed': {
    level: 'info',
    fields: ['userId'],
    when: 'A user has changed the password.',
    action: null,
  },
  'password-not-rehashed': {
    level: 'warn',
    fields: ['userId', 'err'],
    when: 'The hash of a password could not be replaced by a stronger one. The sign-in succeeds.',
    action: null,
  },
  'user-administered': {
    level: 'info',
    fields: ['userId', 'actorId', 'action'],
    when: 'An administrator has changed the role of a user, or has suspended or reinstated one.',
    action: null,
  },
  'account-deleted': {
    level: 'info',
    fields: ['userId'],
    when: 'A user has deleted the account. A job erases the rest.',
    action: null,
  },
  'account-erased': {
    level: 'info',
    fields: ['userId'],
    when: 'The job has erased what belonged to a deleted account.',
    action: null,
  },
  'mail-sent': {
    level: 'info',
    fields: ['userId', 'mail'],
    when: 'The mail server has accepted a mail.',
    action: null,
  },
  'mail-not-configured': {
    level: 'warn',
    fields: [],
    when: 'A worker starts in production without SMTP_URL.',
    action: 'Set SMTP_URL. The mails wait in the queue for a week.',
  },
});
