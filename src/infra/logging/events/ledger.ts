import { define } from '../define.js';

/** Points, and the proof that they are right. */
export const ledgerEvents = define({
  'points-moved': {
    level: 'info',
    fields: [
      'command',
      'userId',
      'transactionId',
      'seq',
      'type',
      'amount',
      'lotIds',
      'audioId',
      'actorId',
    ],
    when: 'A transaction of the ledger is committed. There is one line for each.',
    action: null,
  },
  'ledger-command-refused': {
    level: 'warn',
    fields: ['command', 'userId', 'code', 'err?'],
    when: 'A command moved no points. `err` is there when something failed; without it, a rule has refused the command.',
    action: 'With BUSY or INTERNAL, see the error.',
  },
  'ledger-batch-split': {
    level: 'warn',
    fields: ['requests', 'err'],
    when: 'A batch of a task failed and is tried again in parts.',
    action: 'See the error if it is repeated.',
  },
  'allowance-set': {
    level: 'info',
    fields: ['userId', 'monthlyCredits', 'actorId'],
    when: 'An administrator has set the monthly allowance of a user.',
    action: null,
  },
  'proposal-decided': {
    level: 'info',
    fields: ['proposalId', 'proposerId', 'actorId', 'points', 'decision'],
    when: 'A second administrator has approved or declined a proposal.',
    action: null,
  },
  'bulk-grant-done': {
    level: 'info',
    fields: ['actorId', 'users', 'points', 'skipped'],
    when: 'A bulk grant is finished.',
    action: null,
  },
  'bulk-grant-revoked': {
    level: 'info',
    fields: ['actorId', 'accounts', 'granted', 'revoked', 'spent', 'lapsed', 'revokedOtherwise'],
    when: 'A bulk grant is revoked as a whole.',
    action: null,
  },
  'monthly-grant-off': {
    level: 'warn',
    fields: [],
    when: 'The task GRANT_MONTHLY_CREDITS runs, and MONTHLY_CREDITS is 0.',
    action: 'Set MONTHLY_CREDITS if users are to get points each month.',
  },
  'invariant-violated': {
    level: 'error',
    fields: ['invariant', 'userId', 'lotId', 'seq', 'audioId', 'auditId?', 'transactionId?'],
    when: 'A check found a row that violates an invariant of the ledger.',
    action: 'Follow docs/runbooks/invariant-violated.md.',
  },
  'lot-repaired': {
    level: 'warn',
    fields: ['source', 'userId', 'lotId', 'before', 'after'],
    when: 'The points that remain in a lot were set to the sum of its allocations.',
    action:
      'Follow docs/runbooks/ledger-repaired.md, and search for what has written the wrong number.',
  },
  'lot-not-repaired': {
    level: 'error',
    fields: ['source', 'userId', 'lotId', 'reason', 'invariant?', 'before?', 'after?'],
    when: 'The points that remain in a lot are wrong, and may not be repaired by the server.',
    action: 'Follow docs/runbooks/drift.md.',
  },
  'ledger-mismatch': {
    level: 'error',
    fields: ['userId'],
    when: 'A read or a command met points that do not agree with the history of the account.',
    action: 'Follow docs/runbooks/ledger-mismatch.md.',
  },
  'repair-not-requested': {
    level: 'warn',
    fields: ['userId', 'err'],
    when: 'A job that repairs an account could not be queued. The next reconciliation repairs it.',
    action: 'See the error; the database is probably not reachable.',
  },
  'ledger-anchored': {
    level: 'info',
    fields: ['anchor', 'statement'],
    when: 'A signed statement over all accounts was made.',
    action: null,
  },
  'anchor-kept': {
    level: 'info',
    fields: ['anchorId', 'place'],
    when: 'An anchor was delivered to a place outside of the database.',
    action: null,
  },
  'anchor-not-kept': {
    level: 'error',
    fields: ['anchorId', 'place', 'err'],
    when: 'A place did not accept an anchor. It is delivered again with the next anchor.',
    action: 'See the error; the place must be reachable and writable.',
  },
  'anchor-keys-not-read': {
    level: 'warn',
    fields: ['err'],
    when: 'The keys that sign anchors could not be read. Those read before are used.',
    action: 'See the error; the database is probably not reachable.',
  },
});
