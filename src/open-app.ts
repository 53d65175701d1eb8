import { join } from 'node:path';
import type { Config } from './config.js';
import { readTopology, type Topology } from './infra/citus/topology.js';
import { createDb, type Db } from './infra/db.js';
import type { Logger } from './infra/log.js';
import { createSmtpMailer, openMailbox } from './infra/mail.js';
import { createMetrics } from './infra/metrics.js';
import { createNotices } from './infra/notices.js';
import { openQueue, type JobQueue } from './infra/queue.js';
import { createConnectionCheck } from './infra/connections/check.js';
import type { MeasuredPool } from './infra/connections/measured-pool.js';
import { watchPools } from './infra/connections/watched-pools.js';
import { createRateLimiter, LIMITER_CONNECTIONS } from './infra/rate-limiter.js';
import { createMp3Encoder } from './infra/speech/mp3-encoder.js';
import { openSpeech } from './infra/speech/open.js';
import { measureStorage } from './infra/storage/measured.js';
import { openStorage } from './infra/storage/open.js';
import { traceSpeech, traceStorage } from './infra/tracing/calls.js';
import { openAnchorKeys } from './services/anchors/keys.js';
import type { App, Live, Mailing, Observation, Points } from './services/app.js';
import { openKeys } from './services/keys/keys.js';
import { openUrlKeys } from './services/keys/url-keys.js';
import { createFollowers, LIVE_CHANNEL } from './services/live/followers.js';
import { startRechecking } from './services/live/recheck.js';
import { startTelling } from './services/live/change-sender.js';
import { hearWorker } from './services/live/worker-changes.js';
import { createSessionStates, STANDING_CHANNEL } from './services/sessions/session-states.js';
import { grantingReader } from './services/ledger/allowances.js';
import { openLedger } from './services/ledger/commands.js';
import { createTimelines } from './services/narrations/timeline/timelines.js';
import { createMender } from './services/repairs/create-mender.js';
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
} from './services/queues.js';

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
  const topology = await readTopology(db, url);
  const { isDistributed } = topology;
  const queue = await openQueues({ config, log, url, metrics, pools, isDistributed });
  const facts = { log, metrics };
  const hearing = openHearing(db, {
    url,
    log,
    topology,
    mostFollowers: config.subscriptionsPerUser,
  });
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
    urlKeys: await openUrlKeys(db, log),
    publicUrl: options.publicUrl,
    ...openPoints({ config, db, queue, log, metrics, byAccount: isDistributed }),
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
}: Observation &
  Pick<App, 'config' | 'pools'> & {
    readonly url: string;
    readonly isDistributed: boolean;
  }): Promise<JobQueue> {
  const supervise = config.role !== 'api';
  const queue = await openQueue({ ...facts, poolSize: queuePoolOf(config), supervise });
  await queue.declare([
    failAudioQueue,
    synthesizeAudioQueue,
    sendMailQueue,
    eraseAccountQueue,
    eraseRecordingQueue,
    exportDataQueue,
    finishBulkGrantQueue,
    finishBulkRevocationQueue,
    repairAccountQueue,
    ...SCHEDULED_QUEUES,
  ]);
  return queue;
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
  options: { url: string; log: Logger; topology: Topology; mostFollowers: number },
): Live & { close(): Promise<void> } {
  const notices = createNotices(options);
  // The notices of a cluster come from each node by itself, so that none of them proves that all have arrived.
  const heard = (): boolean => !options.topology.isDistributed && notices.current();
  const sessionStates = createSessionStates(db, heard);
  notices.listen(STANDING_CHANNEL, sessionStates.listener);
  // Registered after the listener of the sessions, so that a follower who is told of a change reads the new state.
  const followers = createFollowers(options.mostFollowers);
  notices.listen(STANDING_CHANNEL, followers.standing);
  notices.listen(LIVE_CHANNEL, followers.live);
  notices.open();
  const telling = startTelling(db, followers, options.log);
  const rechecking = startRechecking({ sessionStates, followers }, heard, options.log);
  const workers = options.topology.workers.map((url) => hearWorker(url, followers, options.log));
  const close = async (): Promise<void> => {
    await Promise.all([telling.stop(), rechecking.stop(), ...workers.map((one) => one.close())]);
    await notices.close();
  };
  return { sessionStates, followers, close };
}

/** Opens the ledger, and what reads and repairs the points besides its commands. */
function openPoints({
  config,
  db,
  queue,
  byAccount,
  ...facts
}: Observation & Pick<App, 'config' | 'db' | 'queue'> & { readonly byAccount: boolean }): Points {
  const { credits, databasePoolSize: connections } = config;
  const mender = createMender({ ...facts, queue }, config.reconcileRepair);
  const ledger = openLedger({ ...facts, db, connections, byAccount, credits, mender, queue });
  return { ledger, mender, points: grantingReader(db, credits, ledger.grantAllowance) };
}

/** Opens the SMTP mailer, or outside production a mailbox on this machine. */
async function openMail({
  mail: { smtpUrl, from },
  production,
  dataDir,
}: Config): Promise<Mailing> {
  if (smtpUrl !== null) return { mailer: createSmtpMailer({ url: smtpUrl, from }), mailbox: null };
  if (production) return { mailer: null, mailbox: null };
  const mailbox = await openMailbox({ folder: join(dataDir, 'mail'), from });
  return { mailer: mailbox, mailbox };
}
