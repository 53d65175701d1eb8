import type { Config } from '../config.js';
import type { WatchedPools } from '../infra/connections/watched-pools.js';
import type { Db } from '../infra/db.js';
import type { Logger } from '../infra/log.js';
import type { Mailbox, Mailer } from '../infra/mail.js';
import type { Metrics } from '../infra/metrics.js';
import type { JobQueue, QueueDeclaration } from '../infra/queue.js';
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
import type { NarrationJob } from './queues.js';
import type { Mender } from './repairs/mender.js';
import type { SessionStates } from './sessions/session-states.js';

/** The dependencies of the services. `src/open-app.ts` wires them by hand, once for each process. */
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
  /** Sign the addresses of files. */
  readonly urlKeys: UrlKeys;
  /** The address where clients reach the API, which is known once it listens. */
  readonly publicUrl: () => string;
  /** The commands that move points. */
  readonly ledger: Ledger;
  /** Reports and repairs sums of the ledger that its history contradicts. */
  readonly mender: Mender;
  /** Reads the points of users, after granting the monthly allowances that are due. */
  readonly points: PointsReader;
}
