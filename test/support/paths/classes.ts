/**
 * Which viewers may have the value of a field:
 * - `public`: every viewer that reaches the object.
 * - `self`: the owner of the object, administrators and auditors.
 * - `viewer`: the owner alone. Administrators and auditors see only their own objects here.
 * - `admin`: administrators and auditors.
 * - `stranger`: the field leads to another person. A viewer who is neither administrator nor auditor sees the `public` fields of that
 *   person, and each `self` field is FORBIDDEN.
 */
export type Class = 'public' | 'self' | 'viewer' | 'admin' | 'stranger';

type Rows = Partial<Readonly<Record<Class, string>>>;

const connection: Rows = { self: 'edges nodes pageInfo' };
const edge: Rows = { self: 'cursor node' };

/** Every field of every object type, by the name of the type. */
const CLASSES: Readonly<Record<string, Rows>> = {
  Audio: {
    self: 'addressesExpireAt bookmarks byteSize captionsUrl content createdAt creditsCharged durationSeconds expectedSeconds failureCode failureReason id listening outdated progress readyAt sentences status story streamUrl transactions updatedAt url user voice waitingFor',
  },
  AudioConnection: connection,
  AudioEdge: edge,
  AudioQuote: { viewer: 'affordable allocations balance existing requiredCredits shortfall' },
  AuditEntry: { admin: 'action actor at details id reason target' },
  AuditEntryConnection: { admin: 'edges nodes pageInfo totalCount' },
  AuditEntryEdge: { admin: 'cursor node' },
  AuthPayload: {
    viewer: 'accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt session user',
  },
  Bookmark: { self: 'audio createdAt id note positionMs' },
  BulkGrantPayload: { admin: 'dryRun granted points recipients replayed skipped' },
  BulkGrantRecipient: { admin: 'amount balance row user' },
  BulkGrantSkip: { admin: 'code otherRow reason row' },
  CancelAudioPayload: { viewer: 'audio balance refund' },
  CreditAllocation: { self: 'amount lot' },
  CreditDeferredRevenue: { admin: 'closing currency lapsed opening revoked sold spent' },
  CreditLapse: { admin: 'free month paid points source' },
  CreditLiability: { admin: 'closing deferredRevenue from lapses opening rows to' },
  CreditLiabilityPart: {
    admin: 'closing debited expired grace granted opening refunded revoked',
  },
  CreditLiabilityRow: {
    admin: 'closing debited expired free grace granted opening paid refunded revoked source',
  },
  CreditLot: {
    self: 'currency expiresAt granted grantedAt id parent priceMinor priority remaining revokedAt source status transactions',
  },
  CreditLotConnection: connection,
  CreditLotEdge: edge,
  CreditReport: { admin: 'from outstanding rows runOff to' },
  CreditReportRow: { admin: 'debited expired grace granted outstanding refunded revoked source' },
  CreditRunOff: { admin: 'day points' },
  CreditStatement: {
    viewer: 'closing csvUrl from headHash lapsedUnbooked month movements opening to',
  },
  CreditTransaction: {
    self: 'allocations amount audio balanceAfter debit effectiveAt hash id reason recordedAt seq story type',
    stranger: 'actor',
  },
  CreditTransactionConnection: { self: 'edges nodes pageInfo totalCount' },
  CreditTransactionEdge: edge,
  BalancePoint: { self: 'at balance' },
  Credits: {
    self: 'balance balanceAt bySource expiring lastTransaction lowBelow series unitLabel unitSize',
  },
  CreditsBySource: { self: 'balance source' },
  ExpiringCredits: { self: 'at points' },
  FailedJob: { admin: 'attempts error failedAt id queue target' },
  FailedJobConnection: { admin: 'edges nodes pageInfo' },
  FailedJobEdge: { admin: 'cursor node' },
  GrantCreditsPayload: { admin: 'lot replayed transaction user' },
  GrantProposal: {
    admin:
      'above command decidedAt decider decisionReason expiresAt id idempotencyKey lapsesAt points proposedAt proposer reason recipientCount recipients source state user',
  },
  GrantProposalConnection: { admin: 'edges nodes pageInfo' },
  GrantProposalEdge: { admin: 'cursor node' },
  JobQueue: { admin: 'active failed name oldestQueuedSeconds queued' },
  LedgerCheck: { admin: 'description invariant sample violations' },
  LedgerHealth: {
    admin:
      'accounts checkedAt checkedSecondsAgo checks fullyCheckedSecondsAgo isChecking isFull lastReconciliation ok transactions transactionsRead unfinishedBulkGrants unfinishedBulkRevocations',
  },
  LanguageCount: { public: 'language stories' },
  LedgerReconciliation: { admin: 'checkedAt repairedLots violationsFound' },
  Notice: { self: 'at audio id kind lapsesAt points readAt transaction' },
  NoticeConnection: { self: 'edges nodes pageInfo unread' },
  NoticeEdge: edge,
  Listening: { self: 'device finished positionMs rate updatedAt' },
  MaintenanceResult: { admin: 'changed durationMs processed task' },
  PageInfo: { self: 'endCursor hasNextPage hasPreviousPage startCursor' },
  ProposalDecisionPayload: { admin: 'proposal replayed' },
  ProposedRecipient: { admin: 'amount currency priceMinor userId' },
  QuotedAllocation: { viewer: 'amount lot' },
  RefundAudioPayload: { admin: 'audio refund' },
  RevokeBulkGrantPayload: {
    admin: 'accounts granted lapsed replayed revoked revokedOtherwise spent',
  },
  RevokeCreditLotPayload: { admin: 'lot replayed transaction' },
  Session: { self: 'createdAt current deviceName expiresAt id ipAddress lastUsedAt userAgent' },
  Settings: {
    public: 'languages passwordMinLength purchases tags unitLabel unitSize welcomePoints',
  },
  SpokenSentence: { self: 'endMs from index startMs to words' },
  SpokenWord: { self: 'from startMs to' },
  Statement: { viewer: 'expiresAt rows url' },
  Story: {
    public:
      'ageFrom ageTo announced author characterCount content coverColor coverHeight coverUrl coverWidth createdAt description expectedSeconds id language published requiredCredits slug state tags title updatedAt favourite',
    viewer: 'audio currentAudio',
  },
  StoryConnection: { public: 'edges nodes pageInfo totalCount' },
  StoryEdge: { public: 'cursor node' },
  SynthesizeAudioPayload: { viewer: 'audio balance charge' },
  UnfinishedBulkGrant: { admin: 'actorId idempotencyKey placedAt reason recipients' },
  UnfinishedBulkRevocation: { admin: 'actorId idempotencyKey placedAt reason' },
  TagCount: { public: 'stories tag' },
  User: {
    public: 'displayName id role',
    self: 'audio createdAt creditHistory creditLots credits email emailVerified locale mailOn monthlyCredits notices pendingEmail sessions suspended',
  },
  UserConnection: { admin: 'edges nodes pageInfo totalCount' },
  UserEdge: { admin: 'cursor node' },
  Voice: { public: 'gender id languages locale name provider sampleUrl' },
};

/** The class of each field, by `Type.field`. */
export const CLASS_OF: ReadonlyMap<string, Class> = new Map(
  Object.entries(CLASSES).flatMap(([type, rows]) =>
    Object.entries(rows).flatMap(([name, fields]) =>
      fields.split(' ').map((field) => [`${type}.${field}`, name as Class] as const),
    ),
  ),
);
