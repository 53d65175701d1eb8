import { isAbsolute, resolve } from 'node:path';
import type { z } from 'zod';
import type { CreditSource } from './domain/ledger/lots.js';
import type { RefundPolicy } from './domain/ledger/refund.js';
import { LIMITS, type Limit, type Rate } from './domain/limits.js';
import { variables } from './variables.js';
import { ConfigError } from './variables/config-error.js';
import { speechOf, type SpeechConfig } from './variables/speech.js';

export { ConfigError, type SpeechConfig };

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Config {
  readonly production: boolean;
  readonly host: string;
  readonly port: number;
  /** Where clients reach the server; null: where it listens. */
  readonly publicUrl: string | null;
  readonly role: 'all' | 'api' | 'worker';
  /** Absolute. */
  readonly dataDir: string;
  /** Null: an embedded Postgres under dataDir. */
  readonly databaseUrl: string | null;
  readonly databasePoolSize: number;
  /** Where recordings are kept: under dataDir, or in a bucket. */
  readonly storage:
    | { readonly kind: 'local' }
    | {
        readonly kind: 's3';
        /** The bucket's. */
        readonly name: string;
        /** Null: Amazon's. */
        readonly endpoint: string | null;
        readonly region: string;
        /** Null: those that Amazon's SDK finds by itself. */
        readonly credentials: {
          readonly accessKeyId: string;
          readonly secretAccessKey: string;
        } | null;
        /** The bucket is named in the path, not in the host. */
        readonly forcePathStyle: boolean;
        /** In front of every key. */
        readonly prefix: string;
      };
  readonly admin: { readonly email: string; readonly password: string } | null;
  readonly seed: boolean;
  readonly metrics: {
    /** A port of its own; null: /metrics at the API's, for this machine and whoever has the token. */
    readonly port: number | null;
    readonly token: string | null;
  };
  readonly mail: {
    /** Null: outside production a mailbox of our own; in production mail waits. */
    readonly smtpUrl: string | null;
    readonly from: string;
  };
  readonly http: {
    /** Other sites whose pages may use the API. */
    readonly corsOrigins: readonly string[];
    /** Whose X-Forwarded-For is believed. */
    readonly trustProxy: boolean | number | string[];
    /** For those who find a hole. */
    readonly securityContact: string | null;
  };
  /** With RATE_LIMIT_FACTOR counted in. */
  readonly limits: Readonly<Record<Limit, Rate>>;
  /** Open at once, in one process; with RATE_LIMIT_FACTOR counted in. */
  readonly subscriptionsPerUser: number;
  readonly logLevel: z.infer<typeof variables>['LOG_LEVEL'];
  readonly logFormat: 'json' | 'pretty';
  readonly graphiql: boolean;
  readonly introspection: boolean;
  readonly credits: {
    readonly unitLabel: string;
    /** Code points that one point pays for. */
    readonly unitSize: number;
    /** Lower burns first. */
    readonly priorityOf: Readonly<Record<CreditSource, number>>;
    /** Points for signing up. */
    readonly initial: number;
    /** Points a month for users without an allowance of their own; 0 for none. */
    readonly monthly: number;
    readonly refundPolicy: RefundPolicy;
  };
  readonly synthesis: {
    readonly retries: { readonly limit: number; readonly delaySeconds: number };
    readonly concurrency: number;
    readonly bitrateKbps: number;
  };
  readonly speech: SpeechConfig;
  readonly tokens: {
    /** Null: keys that are kept in the database. */
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
  if (production && env.DATABASE_URL === undefined && env.EMBEDDED_DATABASE !== true) {
    throw new ConfigError(
      'DATABASE_URL is not set, and production needs one (or EMBEDDED_DATABASE=true for the embedded Postgres).',
    );
  }
  if (production && env.SMTP_URL !== undefined && env.PUBLIC_URL === undefined) {
    throw new ConfigError(
      'PUBLIC_URL is not set, and in production the links in mail need it where SMTP_URL is.',
    );
  }
  return {
    production,
    host: env.HOST,
    port: env.PORT,
    publicUrl: env.PUBLIC_URL?.replace(/\/+$/, '') ?? null,
    role: env.ROLE,
    dataDir: isAbsolute(env.DATA_DIR) ? env.DATA_DIR : resolve(env.DATA_DIR),
    databaseUrl: env.EMBEDDED_DATABASE === true ? null : (env.DATABASE_URL ?? null),
    databasePoolSize: env.DATABASE_POOL_SIZE,
    storage: storageOf(env),
    admin: adminOf(env),
    seed: env.SEED ?? !production,
    metrics: { port: env.METRICS_PORT ?? null, token: env.METRICS_TOKEN ?? null },
    mail: { smtpUrl: env.SMTP_URL ?? null, from: env.MAIL_FROM },
    http: {
      corsOrigins: env.CORS_ORIGINS,
      trustProxy: env.TRUST_PROXY,
      securityContact: env.SECURITY_CONTACT ?? null,
    },
    limits: limitsOf(env),
    subscriptionsPerUser: Math.max(
      1,
      Math.round(env.SUBSCRIPTIONS_PER_USER * env.RATE_LIMIT_FACTOR),
    ),
    logLevel: env.LOG_LEVEL,
    logFormat: env.LOG_FORMAT === 'auto' ? (production ? 'json' : 'pretty') : env.LOG_FORMAT,
    graphiql: env.GRAPHIQL ?? !production,
    introspection: env.INTROSPECTION ?? !production,
    credits: {
      unitLabel: env.CREDITS_UNIT_LABEL,
      unitSize: env.CREDITS_UNIT_SIZE,
      priorityOf: priorityOf(env.CREDIT_SOURCE_PRIORITY),
      initial: env.INITIAL_CREDITS,
      monthly: env.MONTHLY_CREDITS,
      refundPolicy: env.REFUND_POLICY,
    },
    synthesis: {
      retries: { limit: env.SYNTHESIS_RETRIES, delaySeconds: env.SYNTHESIS_RETRY_DELAY_SECONDS },
      concurrency: env.SYNTHESIS_CONCURRENCY,
      bitrateKbps: env.MP3_BITRATE_KBPS,
    },
    // eSpeak is more than twice as fast as encoding: one process serves two narrations.
    speech: speechOf(env, Math.ceil(env.SYNTHESIS_CONCURRENCY / 2)),
    tokens: {
      keys: env.JWT_PRIVATE_KEYS?.map(({ kid, ...privateJwk }) => ({ kid, privateJwk })) ?? null,
      accessTtlSeconds: env.ACCESS_TOKEN_TTL,
      refreshIdleMs: env.REFRESH_IDLE_DAYS * DAY_MS,
      refreshMaxMs: env.REFRESH_MAX_DAYS * DAY_MS,
      urlTtlSeconds: env.URL_TTL_SECONDS,
    },
  };
}

function adminOf(env: z.infer<typeof variables>): Config['admin'] {
  const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password } = env;
  bothOrNeither({ ADMIN_EMAIL: email, ADMIN_PASSWORD: password });
  return email === undefined || password === undefined ? null : { email, password };
}

function storageOf(env: z.infer<typeof variables>): Config['storage'] {
  if (env.STORAGE === 'local') return { kind: 'local' };
  if (env.S3_BUCKET === undefined)
    throw new ConfigError('S3_BUCKET is not set, and STORAGE=s3 needs one.');
  const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = env;
  bothOrNeither({ S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey });
  return {
    kind: 's3',
    name: env.S3_BUCKET,
    endpoint: env.S3_ENDPOINT ?? null,
    region: env.S3_REGION,
    credentials:
      accessKeyId === undefined || secretAccessKey === undefined
        ? null
        : { accessKeyId, secretAccessKey },
    forcePathStyle: env.S3_FORCE_PATH_STYLE ?? env.S3_ENDPOINT !== undefined,
    prefix: env.S3_PREFIX,
  };
}

/** @throws ConfigError that names the one that is missing */
function bothOrNeither(pair: Readonly<Record<string, string | undefined>>): void {
  const names = Object.keys(pair);
  const missing = names.filter((name) => pair[name] === undefined);
  if (missing.length !== 1) return;
  const present = names.filter((name) => pair[name] !== undefined);
  throw new ConfigError(
    `${missing.join()} is not set, but ${present.join()} is: set both or neither.`,
  );
}

function limitsOf(env: z.infer<typeof variables>): Config['limits'] {
  const rates: Record<Limit, Rate> = {
    login: env.RATE_LIMIT_LOGIN,
    register: env.RATE_LIMIT_REGISTER,
    refresh: env.RATE_LIMIT_REFRESH,
    reset: env.RATE_LIMIT_RESET,
    resend: env.RATE_LIMIT_RESEND,
    mailedTokens: env.RATE_LIMIT_MAILED_TOKENS,
    synthesize: env.RATE_LIMIT_SYNTHESIZE,
    creditReads: env.RATE_LIMIT_CREDIT_READS,
    adminWrites: env.RATE_LIMIT_ADMIN_WRITES,
    deleteAccount: env.RATE_LIMIT_DELETE_ACCOUNT,
  };
  const scaled = LIMITS.map((limit) => {
    const { times, seconds } = rates[limit];
    return [limit, { times: Math.max(1, Math.round(times * env.RATE_LIMIT_FACTOR)), seconds }];
  });
  return Object.fromEntries(scaled) as Record<Limit, Rate>;
}

function priorityOf(order: readonly CreditSource[]): Record<CreditSource, number> {
  const entries = order.map((source, index) => [source, (index + 1) * 10]);
  return Object.fromEntries(entries) as Record<CreditSource, number>;
}

function explain(error: z.ZodError, environment: Environment): string {
  const [issue] = error.issues;
  const name = String(issue?.path[0]);
  const secret = /PASSWORD|SECRET|KEYS?$|TOKEN$|DATABASE_URL|SMTP_URL|_BASE_URL$/.test(name);
  const found = secret ? 'a value' : JSON.stringify(environment[name]);
  const allowed =
    issue?.code === 'invalid_value' ? issue.values.join(', ') : (issue?.message ?? 'another value');
  return `${name} is ${found}, but must be ${allowed}.`;
}
