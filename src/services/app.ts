import type { Config } from '../config.js';
import type { WatchedPools } from '../infra/connections/watched-pools.js';
import type { Db } from '../infra/db.js';
import type { Logger } from '../infra/log.js';
import type { Mailbox, Mailer } from '../infra/mail.js';
import type { Metrics } from '../infra/metrics.js';
import type { JobQueue } from '../infra/queue.js';
import type { RateLimiter } from '../infra/rate-limiter.js';
import type { Mp3Encoder } from '../infra/speech/mp3-encoder.js';
import type { SpeechProvider } from '../infra/speech/provider.js';
import type { Storage } from '../infra/storage/storage.js';
import type { KeyRing } from '../infra/tokens.js';
import type { AnchorKeys } from './anchors/keys.js';
import type { PointsReader } from './ledger/allowances.js';
import type { UrlKeys } from './keys/url-keys.js';
import type { Ledger } from './ledger/commands.js';
import type { Followers } from './live/followers.js';
import type { Timelines } from './narrations/timeline/timelines.js';
import type { Mender } from './repairs/mender.js';
import type { SessionStates } from './sessions/session-states.js';

/**
 * The dependencies of the services, by what they are for. `src/open-app.ts` wires them by hand, once for each process.
 * A function that needs a few of them takes a noun or a `Pick`, so that its tests and callers have to make no more.
 */
export interface App extends Observation, Database, Points, Speaking, Keys, Mailing, Live {
  readonly config: Config;
  /** The jobs of all processes. */
  readonly queue: JobQueue;
  readonly rateLimiter: RateLimiter;
  /** The address where clients reach the API, which is known once it listens. */
  readonly publicUrl: () => string;
}

/** How operators see what the process does. */
export interface Observation {
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** Postgres. */
export interface Database {
  readonly db: Db;
  /** The pools of connections, whose figures are metrics. */
  readonly pools: WatchedPools;
  /** Checks that the database accepts a new connection. @throws when it does not */
  readonly checkConnecting: () => Promise<void>;
}

/** The ledger: its commands, and what reads and repairs points besides them. */
export interface Points {
  /** The commands that move points. */
  readonly ledger: Ledger;
  /** Reads the points of users, after granting the monthly allowances that are due. */
  readonly points: PointsReader;
  /** Reports and repairs sums of the ledger that its history contradicts. */
  readonly mender: Mender;
}

/** What makes recordings, and keeps them. */
export interface Speaking {
  readonly speech: SpeechProvider;
  readonly encoder: Mp3Encoder;
  readonly storage: Storage;
  /** What is known of recordings that are being made. */
  readonly timelines: Timelines;
}

/** The keys that sign. */
export interface Keys {
  /** Sign access tokens. */
  readonly keys: KeyRing;
  readonly anchorKeys: AnchorKeys;
  /** Sign the addresses of files. */
  readonly urlKeys: UrlKeys;
}

/** Where mail goes. */
export interface Mailing {
  /** Null in production without SMTP_URL. */
  readonly mailer: Mailer | null;
  /** The mailbox of development. Null when mail is not kept there. */
  readonly mailbox: Mailbox | null;
}

/** What notices of changes in other processes reach. */
export interface Live {
  /** A cache of the states of sessions, which notices of changes clear. */
  readonly sessionStates: SessionStates;
  /** The open subscriptions of this process, which wait for changes. */
  readonly followers: Followers;
}
