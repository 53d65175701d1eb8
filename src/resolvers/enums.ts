import { registerEnumType } from 'type-graphql';

/** An enum whose names are its values, as the domain's unions of strings are. */
const namesOf = <const Names extends string>(
  ...names: Names[]
): { readonly [Name in Names]: Name } =>
  Object.fromEntries(names.map((name) => [name, name])) as { readonly [Name in Names]: Name };

const describe = <Names extends string>(
  names: readonly Names[],
  descriptions: Readonly<Record<Names, string>>,
): Readonly<Record<Names, { description: string }>> =>
  Object.fromEntries(names.map((name) => [name, { description: descriptions[name] }])) as Record<
    Names,
    { description: string }
  >;

function declare<const Names extends string>(
  name: string,
  description: string,
  values: Readonly<Record<Names, string>>,
): { readonly [Name in Names]: Name } {
  const names = Object.keys(values) as Names[];
  const declared = namesOf(...names);
  registerEnumType(declared, { name, description, valuesConfig: describe(names, values) });
  return declared;
}

export const Role = declare('Role', 'What a person may do.', {
  USER: 'Listens to stories and has a wallet.',
  ADMIN: 'Also looks after the library, the listeners and their points.',
  AUDITOR: 'Sees what administrators see, and changes nothing but their own account.',
});

export const TokenTransport = declare(
  'TokenTransport',
  'How the refresh token reaches the client.',
  {
    BODY: 'In the payload, for native and API clients.',
    COOKIE: 'Only in an HttpOnly cookie, for browsers.',
  },
);

export const AudioStatus = declare('AudioStatus', 'How far a narration is.', {
  QUEUED: 'Paid for and waiting for a worker.',
  PROCESSING: 'Being spoken right now; see `progress`.',
  READY: 'Done: `url` plays it.',
  FAILED: 'Could not be made; the points were given back.',
  CANCELLED: 'Stopped on request; the points were given back.',
});

export const CreditSource = declare(
  'CreditSource',
  'Where points came from. By default they are spent in the order EVENT, MONTHLY, REFERRAL, ADD_ON, FREE; `CreditLot.priority` has the order of each lot.',
  {
    EVENT: 'Given on an occasion. Always lapses.',
    MONTHLY: 'The monthly allowance. Lapses at the end of the month.',
    REFERRAL: 'Thanks for bringing someone along.',
    ADD_ON: 'Bought in addition.',
    FREE: 'A gift, for example for signing up.',
  },
);

export const CreditLotStatus = declare('CreditLotStatus', 'The state of a lot at this moment.', {
  ACTIVE: 'Holds points that can be spent.',
  EXHAUSTED: 'Nothing is left: the points were spent, or revoked in parts.',
  EXPIRED: 'Its expiry has passed; what was left cannot be spent.',
  REVOKED: 'Taken back by an administrator.',
});

export const CreditTransactionType = declare('CreditTransactionType', 'Why points moved.', {
  GRANT: 'Points came in, as a new lot.',
  DEBIT: 'Points paid for a narration.',
  REFUND: 'A debit was given back.',
  EXPIRY: 'What was left in a lapsed lot went out of the books.',
  REVOCATION: 'An administrator took back what was left in a lot, or a part of it.',
});

export const GrantCommand = declare('GrantCommand', 'A mutation that gives points.', {
  GRANT_CREDITS: '`grantCredits`.',
  BULK_GRANT_CREDITS: '`bulkGrantCredits`.',
  SET_MONTHLY_CREDITS: '`setMonthlyCredits`.',
});

export const GrantProposalState = declare('GrantProposalState', 'The state of a proposal.', {
  PENDING: 'Needs the decision of another administrator.',
  APPROVED: 'Approved and carried out.',
  DECLINED: 'Declined. This is final.',
  LAPSED: 'Was not decided within a week.',
});

export const MaintenanceTask = declare(
  'MaintenanceTask',
  'Tasks that run by the clock and can be run by hand.',
  {
    EXPIRE_CREDITS: 'Books what lapsed lots still hold. Every five minutes.',
    GRANT_MONTHLY_CREDITS:
      'Gives every active, verified user who has none the allowance of this month. Every day.',
    RECONCILE_CREDITS:
      'Checks the whole ledger against its rules, and makes a signed statement over all accounts. Every night.',
    REAP_STUCK_AUDIO:
      'Settles narrations whose job is gone, and gives their points back. Every minute.',
    PRUNE_SESSIONS:
      'Deletes sessions, mailed links and counters that have lapsed, and files that nobody needs. Every night.',
  },
);
