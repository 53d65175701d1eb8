import { join } from 'node:path';
import type { Config } from './config.js';
import { createDb, type Db } from './infra/db.js';
import type { Logger } from './infra/log.js';
import { createSmtpMailer, openMailbox, type Mailbox, type Mailer } from './infra/mail.js';
import { createMetrics, type Metrics } from './infra/metrics.js';
import { createNotices } from './infra/notices.js';
import { openQueue, type JobQueue, type QueueDeclaration } from './infra/queue.js';
import { createConnectionCheck } from './infra/connections/check.js';
import type { MeasuredPool } from './infra/connections/measured-pool.js';
import { watchPools, type WatchedPools } from './infra/connections/watched-pools.js';
import { createRateLimiter, LIMITER_CONNECTIONS, type RateLimiter } from './infra/rate-limiter.js';
import { createMp3Encoder, type Mp3Encoder } from './infra/speech/mp3-encoder.js';
import { openSpeech } from './infra/speech/open.js';
import type { SpeechProvider } from './infra/speech/provider.js';
import { measureStorage } from './infra/storage/measured.js';
import { openStorage } from './infra/storage/open.js';
import type { Storage } from './infra/storage/storage.js';
import type { KeyRing } from './infra/tokens.js';
import { traceSpeech, traceStorage } from './infra/tracing/calls.js';
import { openAnchorKeys, type AnchorKeys } from './services/anchors/keys.js';
import { loadSecret, openKeys } from './services/keys.js';
import { createFollowers, LIVE_CHANNEL, type Followers } from './services/live/followers.js';
import { startRechecking } from './services/live/recheck.js';
import { startTelling } from './services/live/tell.js';
import {
  createSessionStates,
  STANDING_CHANNEL,
  type SessionStates,
} from './services/sessions/viewer.js';
import { grantingReader, type PointsReader } from './services/ledger/allowances.js';
import { grantGateOf } from './services/credits/approvals/grant-gate.js';
import {
  grantSettler,
  settleGrants,
  type GrantOutcome,
  type GrantRequest,
} from './services/ledger/grants.js';
import { groupCommit, waitingRooms, type Command } from './services/ledger/group-commit.js';
import { observe } from './services/ledger/observed.js';
import {
  refundSettler,
  type RefundOutcome,
  type RefundRequest,
} from './services/ledger/refunds.js';
import {
  revocationSettler,
  type RevokeOutcome,
  type RevokeRequest,
} from './services/ledger/revocations.js';
import {
  narrationSettler,
  type NarrationOutcome,
  type NarrationRequest,
} from './services/narrations/settle-narrations.js';
import { createTimelines, type Timelines } from './services/narrations/timeline/growing.js';
import { createMender, type Mender } from './services/repairs/mender.js';
import {
  eraseAccountQueue,
  eraseRecordingQueue,
  exportDataQueue,
  failAudioQueue,
  finishBulkGrantQueue,
  finishBulkRevocationQueue,
  repairAccountQueue,
  SCHEDULED_QUEUES,
  sendMailQueue,
  synthesizeAudioQueue,
  type NarrationJob,
} from './services/queues.js';

/** The dependencies of the services, wired by hand once for each process. */
export interface App {
  readonly config: Config;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** The pools of connections, whose figures are metrics. */
  readonly pools: WatchedPools;
  readonly db: Db;
  /** Checks that the database accepts a new connection. @throws when it does not */
  readonly checkConnecting: () => Promise<void>;
  readonly queue: JobQueue;
  readonly synthesizeAudio: QueueDeclaration<NarrationJob>;
  readonly storage: Storage;
  readonly rateLimiter: RateLimiter;
  /** Null in production without SMTP_URL. */
  readonly mailer: Mailer | null;
  /** The mailbox of development. Null when mail is not kept there. */
  readonly mailbox: Mailbox | null;
  readonly speech: SpeechProvider;
  readonly encoder: Mp3Encoder;
  readonly keys: KeyRing;
  readonly anchorKeys: AnchorKeys;
  /** A cache of the states of sessions, which notices of changes clear. */
  readonly sessionStates: SessionStates;
  /** The open subscriptions of this process, which wait for changes. */
  readonly followers: Followers;
  /** What is known of recordings that are being made. */
  readonly timelines: Timelines;
  /** Signs the addresses of recordings. */
  readonly urlSecret: Uint8Array;
  /** The address where clients reach the API, which is known once it listens. */
  readonly publicUrl: () => string;
  /** The ledger's commands. Requests that arrive at the same time are committed together. */
  readonly ledger: {
    readonly grant: Command<GrantRequest, GrantOutcome>;
    readonly refund: Command<RefundRequest, RefundOutcome>;
    readonly revoke: Command<RevokeRequest, RevokeOutcome>;
    readonly narrate: Command<NarrationRequest, NarrationOutcome>;
  };
  /** Reports and repairs sums of the ledger that its history contradicts. */
  readonly mender: Mender;
  /** Reads the points of users, after granting the monthly allowances that are due. */
  readonly points: PointsReader;
}

export interface OpenApp extends App {
  /** Waits at most `timeoutMs` for running jobs, and closes every connection. */
  close(timeoutMs: number): Promise<void>;
}

/** The size of the queue's connection pool. A worker listens for new jobs on one more connection. */
const queuePoolOf = ({ role }: Config): number => (role === 'api' ? 2 : 3);

/** The greatest number of database connections of a process. */
export const connectionsOf = (config: Config): { poolSize: number; besides: number } => ({
  poolSize: config.databasePoolSize,
  // The last two: one listens for notices of other processes, and one checks whether the database accepts connections.
  besides: queuePoolOf(config) + (config.role === 'api' ? 0 : 1) + LIMITER_CONNECTIONS + 1 + 1,
});

/** Opens the database, which must be migrated, the queue, the storage and the speech provider. */
export async function openApp(options: {
  config: Config;
  log: Logger;
  databaseUrl: string;
  publicUrl: () => string;
}): Promise<OpenApp> {
  const { config, log, databaseUrl: url } = options;
  const { metrics, pools, db } = openMeasuredDb({ config, log, url });
  const { queue, synthesizeAudio } = await openQueues({ config, log, url, metrics, pools });
  const facts = { log, metrics };
  const hearing = openHearing(db, { url, log, mostFollowers: config.subscriptionsPerUser });
  const { sessionStates, followers } = hearing;
  const { mailer, mailbox } = await openMail(config);
  const { limits: rates, limitSiteFactor: siteFactor } = config;
  const rateLimiter = createRateLimiter({ url, rates, siteFactor, log, pools });
  const traced = traceStorage(await openStorage(config), config.storage.kind);
  const storage = measureStorage(traced, metrics);
  const speech = traceSpeech(openSpeech(config.speech, facts));
  const encoder = createMp3Encoder({
    threads: config.synthesis.concurrency,
    bitrateKbps: config.synthesis.bitrateKbps,
  });
  return {
    config,
    log,
    metrics,
    pools,
    db,
    checkConnecting: createConnectionCheck(url),
    queue,
    synthesizeAudio,
    storage,
    speech,
    encoder,
    keys: await openKeys(db, log, config.tokens.keys),
    anchorKeys: await openAnchorKeys(db, log, config.anchors.keys),
    sessionStates,
    followers,
    timelines: createTimelines(),
    rateLimiter,
    mailer,
    mailbox,
    urlSecret: await loadSecret(db, 'url-signing'),
    publicUrl: options.publicUrl,
    ...openLedger({ config, db, queue, synthesizeAudio }, facts),
    close: async (timeoutMs) => {
      followers.close();
      await queue.close(timeoutMs);
      await hearing.close();
      await rateLimiter.close();
      mailer?.close();
      await speech.close();
      await encoder.close();
      await storage.close();
      await db.$disconnect();
    },
  };
}

/** Opens pg-boss with all queues. */
async function openQueues({
  config,
  ...facts
}: Pick<App, 'config' | 'log' | 'metrics' | 'pools'> & { url: string }): Promise<
  Pick<App, 'queue' | 'synthesizeAudio'>
> {
  const supervise = config.role !== 'api';
  const queue = await openQueue({ ...facts, poolSize: queuePoolOf(config), supervise });
  const synthesizeAudio = synthesizeAudioQueue;
  await queue.declare([
    failAudioQueue,
    synthesizeAudio,
    sendMailQueue,
    eraseAccountQueue,
    eraseRecordingQueue,
    exportDataQueue,
    finishBulkGrantQueue,
    finishBulkRevocationQueue,
    repairAccountQueue,
    ...SCHEDULED_QUEUES,
  ]);
  return { queue, synthesizeAudio };
}

/** Opens the database with the metrics, which have the figures of its pool and of the pools that are opened later. */
function openMeasuredDb({
  config,
  log,
  url,
}: Pick<App, 'config' | 'log'> & { readonly url: string }): Pick<App, 'metrics' | 'pools' | 'db'> {
  const metrics = createMetrics();
  metrics.monthlyGrantOff.set(config.credits.monthly === 0 ? 1 : 0);
  const pools = watchPools(metrics);
  const onPool = (pool: MeasuredPool): void => {
    pools.watch('queries', pool);
  };
  return { metrics, pools, db: createDb({ url, poolSize: config.databasePoolSize, log, onPool }) };
}

/** Opens the parts that receive notices from other processes. */
function openHearing(
  db: Db,
  options: { url: string; log: Logger; mostFollowers: number },
): Pick<App, 'sessionStates' | 'followers'> & { close(): Promise<void> } {
  const notices = createNotices(options);
  const sessionStates = createSessionStates(db, () => notices.current());
  notices.listen(STANDING_CHANNEL, sessionStates.listener);
  // Registered after the listener of the sessions, so that a follower who is told of a change reads the new state.
  const followers = createFollowers(options.mostFollowers);
  notices.listen(STANDING_CHANNEL, followers.standing);
  notices.listen(LIVE_CHANNEL, followers.live);
  notices.open();
  const telling = startTelling(db, followers, options.log);
  const rechecking = startRechecking(
    { sessionStates, followers },
    () => notices.current(),
    options.log,
  );
  const close = async (): Promise<void> => {
    await Promise.all([telling.stop(), rechecking.stop()]);
    await notices.close();
  };
  return { sessionStates, followers, close };
}

/** The ledger's commands. Each gathers its own requests into group commits. */
function openLedger(
  { config, db, queue, synthesizeAudio }: Pick<App, 'config' | 'db' | 'queue' | 'synthesizeAudio'>,
  facts: Pick<App, 'log' | 'metrics'>,
): Pick<App, 'ledger' | 'points' | 'mender'> {
  const doors = { db, ...waitingRooms(config.databasePoolSize) };
  const allow = groupCommit(
    doors,
    settleGrants,
    observe<GrantRequest>(facts, 'monthly-grant', () => 'MONTHLY'),
  );
  const mender = createMender({ ...facts, queue }, config.reconcileRepair);
  const ledger: App['ledger'] = {
    grant: groupCommit(
      doors,
      grantSettler(grantGateOf(config.credits.approvalAbove)),
      observe<GrantRequest>(facts, 'grant', ({ terms }) => terms.source),
    ),
    refund: groupCommit(
      doors,
      refundSettler(config.credits.refundPolicy, mender),
      observe<RefundRequest>(facts, 'refund'),
    ),
    revoke: groupCommit(doors, revocationSettler(mender), observe<RevokeRequest>(facts, 'revoke')),
    narrate: groupCommit(
      doors,
      narrationSettler(queue, synthesizeAudio, mender),
      observe<NarrationRequest>(facts, 'debit'),
    ),
  };
  return { ledger, mender, points: grantingReader(db, config.credits, allow) };
}

/** Opens the SMTP mailer, or outside production a mailbox on this machine. */
async function openMail({
  mail: { smtpUrl, from },
  production,
  dataDir,
}: Config): Promise<Pick<App, 'mailer' | 'mailbox'>> {
  if (smtpUrl !== null) return { mailer: createSmtpMailer({ url: smtpUrl, from }), mailbox: null };
  if (production) return { mailer: null, mailbox: null };
  const mailbox = await openMailbox({ folder: join(dataDir, 'mail'), from });
  return { mailer: mailbox, mailbox };
}
