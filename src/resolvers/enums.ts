import { registerEnumType } from 'type-graphql';
import { CREDIT_SOURCES, SOURCES } from '../domain/ledger/lots.js';
import { keysOf, tableOf } from '../domain/objects.js';
import { TASKS } from '../services/tasks.js';

/** An enum whose names are its values, as the domain's unions of strings are. */
const namesOf = <const Names extends string>(
  ...names: Names[]
): { readonly [Name in Names]: Name } =>
  Object.fromEntries(names.map((name) => [name, name])) as { readonly [Name in Names]: Name };

/** The description of a value, alone or as a member of what else is known about it. */
type Described = string | { readonly description: string };

const describe = <Names extends string>(
  names: readonly Names[],
  values: Readonly<Record<Names, Described>>,
): Readonly<Record<Names, { description: string }>> =>
  tableOf(names, (name) => {
    const value: Described = values[name];
    return { description: typeof value === 'string' ? value : value.description };
  });

function declare<const Names extends string>(
  name: string,
  description: string,
  values: Readonly<Record<Names, Described>>,
): { readonly [Name in Names]: Name } {
  const names = keysOf(values);
  const declared = namesOf(...names);
  registerEnumType(declared, { name, description, valuesConfig: describe(names, values) });
  return declared;
}

export const Role = declare('Role', 'The role of a user, which determines their permissions.', {
  USER: 'A listener, with points of their own.',
  ADMIN: 'A listener who also manages the library, the listeners and their points.',
  AUDITOR: 'Can read what administrators can read, and can change only their own account.',
});

export const TokenTransport = declare(
  'TokenTransport',
  'How the refresh token is delivered to the client.',
  {
    BODY: 'In the field `refreshToken` of the payload, for native and API clients.',
    COOKIE:
      'Only in an HttpOnly cookie, for browsers. BAD_USER_INPUT on a page of another site than the API, because browsers do not keep the cookie there.',
  },
);

export const AudioStatus = declare('AudioStatus', 'The status of a narration.', {
  QUEUED: 'Paid for and waiting for a worker.',
  PROCESSING: 'Being made. `progress` has the finished fraction.',
  READY: 'Finished. `url` plays it.',
  FAILED: 'Could not be made. The points were refunded.',
  CANCELLED: 'Cancelled on request. The points were refunded.',
});

export const AudioWait = declare(
  'AudioWait',
  'What a narration waits for besides a worker. More may be added.',
  {
    SPEECH_PROVIDER:
      'The speech provider is not available, or asks for a pause. The narration continues when the provider is available again, and can be cancelled until then. By default it fails after an hour of waiting, and the points are refunded.',
  },
);

export const AudioFailureCode = declare(
  'AudioFailureCode',
  'The cause of a failure. More causes may be added.',
  {
    SPEECH_UNAVAILABLE: 'The speech provider could not be reached, or did not answer in time.',
    SPEECH_REFUSED: 'The speech provider cannot speak this text in this voice.',
    NOTHING_TO_SPEAK: 'The text has no words.',
    STORAGE: 'The recording could not be stored.',
    INTERNAL: 'Any other cause.',
  },
);

export const Bucket = declare('Bucket', 'A calendar interval, in UTC.', {
  DAY: 'A day.',
  WEEK: 'A week, which begins on Monday.',
  MONTH: 'A month.',
});

export const StoryState = declare('StoryState', 'The state of a story.', {
  DRAFT: 'Not published. Only administrators and auditors can see it.',
  PUBLISHED: 'In the library.',
  REMOVED: 'Deleted. Users keep the narrations that they paid for.',
});

export const StoryOrder = declare('StoryOrder', 'The order of the library.', {
  LIBRARY: 'The order in which the stories were added.',
  TITLE: 'By title, without regard to case and diacritics.',
  NEWEST: 'The stories that were added last come first.',
  SHORTEST: 'By the length of the text, the shortest first.',
  LONGEST: 'By the length of the text, the longest first.',
});

export const CreditSource = declare(
  'CreditSource',
  `The source of points. The default spending order is ${CREDIT_SOURCES.join(', ')}. The order of a lot is its \`CreditLot.priority\`.`,
  SOURCES,
);

export const StatementFormat = declare(
  'StatementFormat',
  'The format of a file. More formats may be added.',
  { CSV: 'Comma-separated values (RFC 4180), with a header.' },
);

export const NoticeKind = declare('NoticeKind', 'What a notice is about.', {
  POINTS_LOW: 'A narration took your points below `Credits.lowBelow`. At most once a day (UTC).',
  POINTS_LAPSE: 'Points lapse within a week.',
  POINTS_GRANTED: 'You were granted points.',
  NARRATION_READY: 'A narration that you requested is finished.',
  NARRATION_FAILED: 'A narration that you requested could not be made. The points were refunded.',
});

export const BulkGrantSkipCode = declare(
  'BulkGrantSkipCode',
  'The reason why a row of a bulk grant was skipped.',
  {
    UNKNOWN_USER: 'The row names no user, or two different users.',
    REPEATED_USER: 'An earlier row has the same user.',
    SUSPENDED: 'The user is suspended. Not used at present: suspended users receive points.',
    INVALID_AMOUNT:
      'The grant was refused, for example because the account would hold too many points.',
  },
);

export const CreditLotStatus = declare('CreditLotStatus', 'The current status of a lot.', {
  ACTIVE: 'Has points that can be spent.',
  EXHAUSTED: 'No points remain, because they were spent, or revoked in parts.',
  EXPIRED: 'Past its expiry. Remaining points cannot be spent.',
  REVOKED: 'Revoked by an administrator, or because the account was deleted.',
});

export const CreditTransactionType = declare(
  'CreditTransactionType',
  'The type of a transaction.',
  {
    GRANT: 'Points were granted as a new lot.',
    DEBIT: 'Points were spent on a narration.',
    REFUND: 'Points of a debit were refunded.',
    EXPIRY: 'The remaining points of an expired lot were written off.',
    REVOCATION:
      'The remaining points of a lot, or a part of them, were revoked by an administrator or because the account was deleted.',
  },
);

export const GrantCommand = declare(
  'GrantCommand',
  'A mutation that grants points or sets an allowance.',
  {
    GRANT_CREDITS: 'The mutation `grantCredits`.',
    BULK_GRANT_CREDITS: 'The mutation `bulkGrantCredits`.',
    SET_MONTHLY_CREDITS: 'The mutation `setMonthlyCredits`.',
  },
);

export const GrantProposalState = declare('GrantProposalState', 'The state of a proposal.', {
  PENDING: 'Waiting for the decision of another administrator.',
  APPROVED: 'Approved and carried out.',
  DECLINED: 'Declined. This is final.',
  LAPSED: 'Not decided within seven days.',
});

export const MaintenanceTask = declare(
  'MaintenanceTask',
  'A scheduled task, which `runMaintenance` can also run at any time. Times are in UTC.',
  TASKS,
);
