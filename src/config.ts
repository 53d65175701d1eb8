import { isAbsolute, join, resolve } from 'node:path';
import type { z } from 'zod';
import { prioritiesIn, type CreditSource } from './domain/ledger/lots.js';
import type { RefundPolicy } from './domain/ledger/refund.js';
import type { Limit, Rate } from './domain/limits.js';
import { isCommonPassword } from './infra/passwords.js';
import { variables } from './variables.js';
import { anchorsOf, type AnchorConfig } from './variables/anchors.js';
import { bucketOf, type Bucket } from './variables/buckets.js';
import { bothOrNeither, ConfigError } from './variables/config-error.js';
import { metricsOf, type MetricsConfig } from './variables/metrics.js';
import { speechOf, type SpeechConfig } from './variables/speech.js';
import { tracingOf, type TracingConfig } from './variables/tracing.js';
import { explain } from './variables/explanation.js';
import { limitsOf } from './variables/limits.js';

export { ConfigError, type Bucket, type SpeechConfig, type TracingConfig };

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Config {
  readonly production: boolean;
  readonly host: string;
  readonly port: number;
  /** The address where clients reach the server. Null for the address where it listens. */
  readonly publicUrl: string | null;
  readonly role: 'all' | 'api' | 'worker';
  /** An absolute path. */
  readonly dataDir: string;
  /** Null for an embedded Postgres under dataDir. */
  readonly databaseUrl: string | null;
  readonly databasePoolSize: number;
  /** The storage of recordings: a folder under dataDir, or a bucket. */
  readonly storage: { readonly kind: 'local' } | Bucket;
  readonly anchors: AnchorConfig;
  readonly admin: { readonly email: string; readonly password: string } | null;
  readonly seed: boolean;
  readonly metrics: MetricsConfig;
  readonly mail: {
    /** Null: outside production mail goes to a mailbox in dataDir, and in production it stays in the queue. */
    readonly smtpUrl: string | null;
    readonly from: string;
  };
  readonly http: {
    /** Other origins whose pages may use the API. */
    readonly corsOrigins: readonly string[];
    /** The proxies whose X-Forwarded-For is trusted. */
    readonly trustProxy: false | number | readonly string[];
    readonly connectionsMax: number;
    /** The limit of one client address. Trusted proxies may have more. */
    readonly connectionsPerAddressMax: number;
    /** Where to report a vulnerability, for security.txt. */
    readonly securityContact: string | null;
  };
  /** Already multiplied by RATE_LIMIT_FACTOR. */
  readonly limits: Readonly<Record<Limit, Rate>>;
  /** The limit of an IPv6 network of 48 bits, as a multiple of the limit of a network of 64 bits. */
  readonly limitSiteFactor: number;
  /** Open subscriptions of a user in one process, multiplied by RATE_LIMIT_FACTOR. */
  readonly subscriptionsPerUser: number;
  readonly logLevel: z.infer<typeof variables>['LOG_LEVEL'];
  readonly logFormat: 'json' | 'pretty';
  /** Null: tracing is off. */
  readonly tracing: TracingConfig | null;
  /** The process ends itself when its event loop is blocked for this long. 0 disables this. */
  readonly eventLoopStallSeconds: number;
  /** Whether the web app is served at `/`. */
  readonly web: boolean;
  readonly graphiql: boolean;
  readonly introspection: boolean;
  readonly credits: {
    readonly unitLabel: string;
    /** Code points that one point pays for. */
    readonly unitSize: number;
    /** Clients say that points run low when the balance is below this. */
    readonly lowBelow: number;
    /** Lower burns first. */
    readonly priorityOf: Readonly<Record<CreditSource, number>>;
    /** Points for signing up. */
    readonly initial: number;
    /** Points a month for users without an allowance of their own. 0 for none. */
    readonly monthly: number;
    /** Points that one administrator may give in a day (UTC) without the approval of another. Null: any number. */
    readonly approvalAbove: number | null;
    readonly refundPolicy: RefundPolicy;
  };
  /** Whether stored sums that the history contradicts are set right. */
  readonly reconcileRepair: boolean;
  readonly synthesis: {
    /** How often a narration is tried again, and the delay before the first retry. Each later delay is twice as long. */
    readonly retries: { readonly limit: number; readonly delaySeconds: number };
    /** How many workers may die while they make a narration before it fails. */
    readonly deathsMax: number;
    /** How long a narration waits for a speech provider that rests, from its first wait on. */
    readonly deadlineMs: number;
    readonly concurrency: number;
    readonly bitrateKbps: number;
  };
  readonly speech: SpeechConfig;
  readonly tokens: {
    /** Null for keys that are kept in the database. */
    readonly keys: readonly { readonly kid: string; readonly privateJwk: object }[] | null;
    readonly accessTtlSeconds: number;
    readonly refreshIdleMs: number;
    readonly refreshMaxMs: number;
    readonly urlTtlSeconds: number;
  };
}

const DAY_MS = 86_400_000;

/** @throws ConfigError for the first variable that is wrong */
export function readConfig(environment: Environment): Config {
  const present = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== ''),
  );
  const parsed = variables.safeParse(present);
  if (!parsed.success) throw new ConfigError(explain(parsed.error, present));
  const env = parsed.data;
  const production = env.NODE_ENV === 'production';
  if (production) requireForProduction(env);
  const dataDir = isAbsolute(env.DATA_DIR) ? env.DATA_DIR : resolve(env.DATA_DIR);
  return {
    production,
    host: env.HOST,
    port: env.PORT,
    publicUrl: env.PUBLIC_URL ?? null,
    role: env.ROLE,
    dataDir,
    databaseUrl: env.EMBEDDED_DATABASE === true ? null : (env.DATABASE_URL ?? null),
    databasePoolSize: env.DATABASE_POOL_SIZE,
    storage: storageOf(env),
    anchors: anchorsOf(env, env.JWT_PRIVATE_KEYS ?? []),
    admin: adminOf(env, production),
    seed: env.SEED ?? !production,
    metrics: metricsOf(env),
    mail: { smtpUrl: env.SMTP_URL ?? null, from: env.MAIL_FROM },
    http: httpOf(env),
    limits: limitsOf(env),
    limitSiteFactor: env.RATE_LIMIT_IPV6_SITE_FACTOR,
    subscriptionsPerUser: Math.max(
      1,
      Math.round(env.SUBSCRIPTIONS_PER_USER * env.RATE_LIMIT_FACTOR),
    ),
    logLevel: env.LOG_LEVEL,
    logFormat: env.LOG_FORMAT === 'auto' ? (production ? 'json' : 'pretty') : env.LOG_FORMAT,
    tracing: tracingOf(env),
    eventLoopStallSeconds: env.EVENT_LOOP_STALL_SECONDS,
    web: env.WEB,
    graphiql: env.GRAPHIQL ?? !production,
    introspection: env.INTROSPECTION ?? !production,
    credits: creditsOf(env),
    reconcileRepair: env.RECONCILE_REPAIR,
    synthesis: synthesisOf(env),
    // One eSpeak process serves two narrations, because it is more than twice as fast as encoding.
    speech: speechOf(env, {
      concurrency: Math.ceil(env.SYNTHESIS_CONCURRENCY / 2),
      voices: join(dataDir, 'voices'),
    }),
    tokens: tokensOf(env),
  };
}

/** @throws ConfigError when a variable is not set that has a default only outside of production */
function requireForProduction(env: z.infer<typeof variables>): void {
  if (env.DATABASE_URL === undefined && env.EMBEDDED_DATABASE !== true)
    throw new ConfigError(
      'DATABASE_URL is not set, and production needs one (or EMBEDDED_DATABASE=true for the embedded Postgres).',
    );
  if (env.SMTP_URL !== undefined && env.PUBLIC_URL === undefined)
    throw new ConfigError(
      'PUBLIC_URL is not set, and in production the links in mail need it where SMTP_URL is.',
    );
}

const synthesisOf = (env: z.infer<typeof variables>): Config['synthesis'] => ({
  retries: { limit: env.SYNTHESIS_RETRIES, delaySeconds: env.SYNTHESIS_RETRY_DELAY_SECONDS },
  deathsMax: env.SYNTHESIS_DEATHS,
  deadlineMs: env.SYNTHESIS_DEADLINE * 1000,
  concurrency: env.SYNTHESIS_CONCURRENCY,
  bitrateKbps: env.MP3_BITRATE_KBPS,
});

const tokensOf = (env: z.infer<typeof variables>): Config['tokens'] => ({
  keys: env.JWT_PRIVATE_KEYS?.map(({ kid, ...privateJwk }) => ({ kid, privateJwk })) ?? null,
  accessTtlSeconds: env.ACCESS_TOKEN_TTL,
  refreshIdleMs: env.REFRESH_IDLE_DAYS * DAY_MS,
  refreshMaxMs: env.REFRESH_MAX_DAYS * DAY_MS,
  urlTtlSeconds: env.URL_TTL_SECONDS,
});

const creditsOf = (env: z.infer<typeof variables>): Config['credits'] => ({
  unitLabel: env.CREDITS_UNIT_LABEL,
  unitSize: env.CREDITS_UNIT_SIZE,
  lowBelow: env.CREDITS_LOW_BELOW,
  priorityOf: prioritiesIn(env.CREDIT_SOURCE_PRIORITY),
  initial: env.INITIAL_CREDITS,
  monthly: env.MONTHLY_CREDITS,
  approvalAbove: env.APPROVAL_ABOVE ?? null,
  refundPolicy: env.REFUND_POLICY,
});

const httpOf = (env: z.infer<typeof variables>): Config['http'] => ({
  corsOrigins: env.CORS_ORIGINS,
  trustProxy: env.TRUST_PROXY,
  connectionsMax: env.CONNECTIONS_MAX,
  connectionsPerAddressMax: env.CONNECTIONS_PER_ADDRESS_MAX,
  securityContact: env.SECURITY_CONTACT ?? null,
});

function adminOf(env: z.infer<typeof variables>, production: boolean): Config['admin'] {
  const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password } = env;
  bothOrNeither({ ADMIN_EMAIL: email, ADMIN_PASSWORD: password });
  if (email === undefined || password === undefined) return null;
  // A common password is allowed where only this machine can reach the server.
  const reachable = env.PUBLIC_URL !== undefined || !LOOPBACK_HOSTS.includes(env.HOST);
  if (production && reachable && isCommonPassword(password))
    throw new ConfigError(
      'ADMIN_PASSWORD is one of the most common passwords, but in production must be 8 to 256 characters that are not on that list.',
    );
  return { email, password };
}

const LOOPBACK_HOSTS = ['127.0.0.1', '::1', 'localhost'];

function storageOf(env: z.infer<typeof variables>): Config['storage'] {
  if (env.STORAGE === 'local') return { kind: 'local' };
  if (env.S3_BUCKET === undefined)
    throw new ConfigError('S3_BUCKET is not set, and STORAGE=s3 needs one.');
  return bucketOf('S3', {
    name: env.S3_BUCKET,
    endpoint: env.S3_ENDPOINT,
    region: env.S3_REGION,
    accessKeyId: env.S3_ACCESS_KEY_ID,
    secretAccessKey: env.S3_SECRET_ACCESS_KEY,
    forcePathStyle: env.S3_FORCE_PATH_STYLE,
    prefix: env.S3_PREFIX,
  });
}
