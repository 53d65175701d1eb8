import { join } from 'node:path';
import type { Config } from './config.js';
import { createDb, type Db } from './infra/db.js';
import type { Logger } from './infra/log.js';
import { createSmtpMailer, openMailbox, type Mailbox, type Mailer } from './infra/mail.js';
import { createMetrics, type Metrics } from './infra/metrics.js';
import { createNotices } from './infra/notices.js';
import { openQueue, type JobQueue, type QueueDeclaration } from './infra/queue.js';
import { createRateLimiter, type RateLimiter } from './infra/rate-limiter.js';
import { createMp3Encoder, type Mp3Encoder } from './infra/speech/mp3-encoder.js';
import { openSpeech } from './infra/speech/open.js';
import type { SpeechProvider } from './infra/speech/provider.js';
import { openStorage } from './infra/storage/open.js';
import type { Storage } from './infra/storage/storage.js';
import type { KeyRing } from './infra/tokens.js';
import { loadSecret, openKeys } from './services/keys.js';
import { createFollowers, LIVE_CHANNEL, type Followers } from './services/live/followers.js';
import { startTelling } from './services/live/tell.js';
import {
  createSessionStates,
  STANDING_CHANNEL,
  type SessionStates,
} from './services/sessions/viewer.js';
import { settleGrants, type GrantOutcome, type GrantRequest } from './services/ledger/grants.js';
import { groupCommit, waitingRoom, type Command } from './services/ledger/group-commit.js';
import { observe } from './services/ledger/observed.js';
import {
  refundSettler,
  type RefundOutcome,
  type RefundRequest,
} from './services/ledger/refunds.js';
import {
  settleRevocations,
  type RevokeOutcome,
  type RevokeRequest,
} from './services/ledger/revocations.js';
import {
  narrationSettler,
  type NarrationOutcome,
  type NarrationRequest,
} from './services/narrations/settle-narrations.js';
import {
  eraseAccountQueue,
  failAudioQueue,
  SCHEDULED_QUEUES,
  sendMailQueue,
  synthesizeAudioQueue,
  type NarrationJob,
} from './services/queues.js';

/** Everything a service may use, wired by hand, once for each process. */
export interface App {
  readonly config: Config;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly db: Db;
  readonly queue: JobQueue;
  readonly synthesizeAudio: QueueDeclaration<NarrationJob>;
  readonly storage: Storage;
  readonly rateLimiter: RateLimiter;
  /** Null in production without SMTP_URL. */
  readonly mailer: Mailer | null;
  /** Where mail goes in development; null when it goes somewhere else. */
  readonly mailbox: Mailbox | null;
  readonly speech: SpeechProvider;
  readonly encoder: Mp3Encoder;
  readonly keys: KeyRing;
  /** How sessions stood a moment ago. */
  readonly sessionStates: SessionStates;
  /** Who waits to hear of changes, in this process. */
  readonly followers: Followers;
  /** Signs the addresses of recordings. */
  readonly urlSecret: Uint8Array;
  /** Where clients reach the API; known once it listens. */
  readonly publicUrl: () => string;
  /** The ledger's commands; each rides with whoever asks at the same time. */
  readonly ledger: {
    readonly grant: Command<GrantRequest, GrantOutcome>;
    readonly refund: Command<RefundRequest, RefundOutcome>;
    readonly revoke: Command<RevokeRequest, RevokeOutcome>;
    readonly narrate: Command<NarrationRequest, NarrationOutcome>;
  };
}

export interface OpenApp extends App {
  /** Finishes the jobs in hand, at most `timeoutMs`, and closes every connection. */
  close(timeoutMs: number): Promise<void>;
}

/** Opens the database, which must be migrated, the queue, the storage and the speech provider. */
export async function openApp(options: {
  config: Config;
  log: Logger;
  databaseUrl: string;
  publicUrl: () => string;
}): Promise<OpenApp> {
  const { config, log, databaseUrl: url } = options;
  const db = createDb({ url, poolSize: config.databasePoolSize, log });
  const worker = config.role !== 'api';
  const queue = await openQueue({ url, poolSize: worker ? 3 : 2, supervise: worker, log });
  const synthesizeAudio = synthesizeAudioQueue(config.synthesis.retries);
  await queue.declare([
    failAudioQueue,
    synthesizeAudio,
    sendMailQueue,
    eraseAccountQueue,
    ...SCHEDULED_QUEUES,
  ]);
  const metrics = createMetrics();
  metrics.monthlyGrantOff.set(config.credits.monthly === 0 ? 1 : 0);
  const facts = { log, metrics };
  const hearing = openHearing(db, { url, log, mostFollowers: config.subscriptionsPerUser });
  const { sessionStates, followers } = hearing;
  const { mailer, mailbox } = await openMail(config);
  const rateLimiter = createRateLimiter({ url, rates: config.limits, log });
  const storage = await openStorage(config);
  const speech = openSpeech(config.speech, facts);
  const encoder = createMp3Encoder({
    threads: config.synthesis.concurrency,
    bitrateKbps: config.synthesis.bitrateKbps,
  });
  return {
    config,
    log,
    metrics,
    db,
    queue,
    synthesizeAudio,
    storage,
    speech,
    encoder,
    keys: await openKeys(db, log, config.tokens.keys),
    sessionStates,
    followers,
    rateLimiter,
    mailer,
    mailbox,
    urlSecret: await loadSecret(db, 'url-signing'),
    publicUrl: options.publicUrl,
    ledger: openLedger({ config, db, queue, synthesizeAudio }, facts),
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

/** What the processes of one installation tell each other. */
function openHearing(
  db: Db,
  options: { url: string; log: Logger; mostFollowers: number },
): Pick<App, 'sessionStates' | 'followers'> & { close(): Promise<void> } {
  const notices = createNotices(options);
  const sessionStates = createSessionStates(db, () => notices.current());
  notices.listen(STANDING_CHANNEL, sessionStates.listener);
  // After the sessions' own: whoever follows looks at them again.
  const followers = createFollowers(options.mostFollowers);
  notices.listen(STANDING_CHANNEL, followers.standing);
  notices.listen(LIVE_CHANNEL, followers.live);
  notices.open();
  const telling = startTelling(db, followers, options.log);
  const close = async (): Promise<void> => {
    await telling.stop();
    await notices.close();
  };
  return { sessionStates, followers, close };
}

/** The ledger's commands, each with a door of its own at which requests gather. */
function openLedger(
  { config, db, queue, synthesizeAudio }: Pick<App, 'config' | 'db' | 'queue' | 'synthesizeAudio'>,
  facts: Pick<App, 'log' | 'metrics'>,
): App['ledger'] {
  const doors = { db, waiting: waitingRoom(config.databasePoolSize) };
  return {
    grant: groupCommit(
      doors,
      settleGrants,
      observe<GrantRequest>(facts, 'grant', ({ terms }) => terms.source),
    ),
    refund: groupCommit(
      doors,
      refundSettler(config.credits.refundPolicy),
      observe<RefundRequest>(facts, 'refund'),
    ),
    revoke: groupCommit(doors, settleRevocations, observe<RevokeRequest>(facts, 'revoke')),
    narrate: groupCommit(
      doors,
      narrationSettler(queue, synthesizeAudio),
      observe<NarrationRequest>(facts, 'debit'),
    ),
  };
}

/** A server's, or outside production a mailbox on this machine. */
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
