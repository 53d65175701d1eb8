import 'reflect-metadata';
import { applyMiddleware } from 'graphql-middleware';
import type { GraphQLSchema } from 'graphql';
import { buildSchemaSync } from 'type-graphql';
import { LiabilityResolver } from './accounting/liability.resolver.js';
import { StatementResolver } from './accounting/statement.resolver.js';
import { AuditEntryResolver, AdministrationResolver } from './accounts/administration.resolver.js';
import { AccountResolver } from './accounts/account.resolver.js';
import { AuthResolver } from './accounts/auth.resolver.js';
import { SessionResolver, UserResolver } from './accounts/user.resolver.js';
import {
  AudioQuoteResolver,
  AudioResolver,
  QuotedAllocationResolver,
  SynthesizeAudioPayloadResolver,
} from './audio/audio.resolver.js';
import { CancelAudioResolver } from './audio/cancellations.resolver.js';
import { NarratedTextResolver } from './audio/narrated.resolver.js';
import { SentencesResolver } from './audio/sentences.resolver.js';
import { AudioUpdatesResolver } from './audio/updates.resolver.js';
import { RefundAudioResolver } from './audio/refunds.resolver.js';
import {
  BulkGrantRecipientResolver,
  BulkGrantResolver,
  BulkGrantSkipResolver,
} from './credits/bulk-grants.resolver.js';
import {
  CreditAllocationResolver,
  CreditLotResolver,
  CreditsResolver,
  CreditTransactionResolver,
} from './credits/credits.resolver.js';
import { CreditsUpdatesResolver } from './credits/updates.resolver.js';
import { GrantCreditsResolver } from './credits/grants.resolver.js';
import { ProposalResolver } from './credits/proposals.resolver.js';
import { ReportsResolver } from './credits/reports.resolver.js';
import { WalletResolver } from './credits/wallet.resolver.js';
import { RevokeCreditLotResolver } from './credits/revocations.resolver.js';
import { DeskResolver } from './desk/desk.resolver.js';
import { FailedJobResolver } from './desk/failed-jobs.resolver.js';
import { JobQueueResolver } from './operations/job-queues.resolver.js';
import { audits } from './accounts/audits.js';
import { limits, limitsOfAnswers } from './limits.js';
import { AudioBookmarksResolver, BookmarkResolver } from './listening/bookmarks.resolver.js';
import { FavouriteResolver } from './listening/favourites.resolver.js';
import { AudioListeningResolver, ListeningResolver } from './listening/listening.resolver.js';
import { ChangesResolver } from './live/changes.resolver.js';
import { SettingsResolver } from './settings/settings.resolver.js';
import {
  NoticeConnectionResolver,
  NoticeResolver,
  NoticesResolver,
} from './notices/notices.resolver.js';
import { MaintenanceResolver } from './operations/maintenance.resolver.js';
import { NodeResolver } from './node.resolver.js';
import { refuseLongEnumValues } from './documents/enum-values.js';
import { createShield } from './permissions.js';
import { DateTimeScalar } from './scalars.js';
import { StoryResolver } from './stories/story.resolver.js';
import { VoiceResolver } from './stories/voice.resolver.js';

const RESOLVERS = [
  AuthResolver,
  AccountResolver,
  UserResolver,
  SessionResolver,
  AdministrationResolver,
  AuditEntryResolver,
  StoryResolver,
  AudioResolver,
  SynthesizeAudioPayloadResolver,
  AudioQuoteResolver,
  QuotedAllocationResolver,
  CreditsResolver,
  WalletResolver,
  CreditLotResolver,
  CreditTransactionResolver,
  CreditAllocationResolver,
  CreditsUpdatesResolver,
  GrantCreditsResolver,
  BulkGrantResolver,
  BulkGrantSkipResolver,
  BulkGrantRecipientResolver,
  RevokeCreditLotResolver,
  ProposalResolver,
  AudioUpdatesResolver,
  NarratedTextResolver,
  SentencesResolver,
  VoiceResolver,
  AudioListeningResolver,
  ListeningResolver,
  BookmarkResolver,
  AudioBookmarksResolver,
  FavouriteResolver,
  ChangesResolver,
  SettingsResolver,
  CancelAudioResolver,
  RefundAudioResolver,
  ReportsResolver,
  StatementResolver,
  LiabilityResolver,
  NoticesResolver,
  NoticeConnectionResolver,
  NoticeResolver,
  DeskResolver,
  FailedJobResolver,
  MaintenanceResolver,
  JobQueueResolver,
  NodeResolver,
] as const;

/** The schema as it is served, without the shield. */
export function buildTypes(): GraphQLSchema {
  const schema = buildSchemaSync({
    resolvers: RESOLVERS,
    scalarsMap: [{ type: Date, scalar: DateTimeScalar }],
    // The services validate requests, so that every entry point gives the same answer.
    validate: false,
    // Not checked here, because Apollo Server checks the schema when it is created.
    skipCheck: true,
    nullableByDefault: false,
    pubSub: UNUSED_PUB_SUB,
  });
  for (const [type, description] of [
    [schema, ABOUT.schema],
    [schema.getQueryType(), ABOUT.query],
    [schema.getMutationType(), ABOUT.mutation],
    [schema.getSubscriptionType(), ABOUT.subscription],
  ] as const)
    if (type != null) type.description = description;
  return schema;
}

/** The library requires it, but it is never used, because every subscription has its own `subscribe`. */
const UNUSED_PUB_SUB = {
  publish: (): void => undefined,
  subscribe: (topic: string): never => {
    throw new Error(`No subscription uses the topic ${topic}.`);
  },
};

/** What the decorators have no place for. */
const ABOUT = {
  schema:
    'Stories, and narrations of them that cost Story Points. Sign in with `login`, and send the access token in the header `Authorization: Bearer <token>`. `quoteAudio` returns the price of a narration, and `synthesizeAudio` requests it. docs/api.md has what a schema cannot express, above all error codes and limits.',
  query: 'The operations that read data.',
  mutation:
    'The operations that change data. The mutations of a request run one after the other, in their order. Each is committed completely or not at all, except those that work in batches, such as bulk grants and maintenance tasks. If a mutation fails, those before it stay committed.',
  subscription:
    'The operations that follow changes, as server-sent events: send `Accept: text/event-stream`. The first event has the current state. A subscription ends when the session ends.',
};

/** The schema behind the shield, then the audit and the limits, so that what is not allowed is neither audited nor counted. */
export const createSchema = (): GraphQLSchema =>
  refuseLongEnumValues(
    applyMiddleware(buildTypes(), createShield(), audits, limits, limitsOfAnswers),
  );
