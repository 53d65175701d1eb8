import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { CREDIT_SOURCES, type CreditSource } from './domain/ledger/lots.js';

/** Bad configuration, in one line that names the variable, what was found and what is allowed. */
export class ConfigError extends Error {}

const flag = z
  .enum(['true', 'false', 'yes', 'no'])
  .transform((value) => value === 'true' || value === 'yes');
const wholeNumber = (least: number, most: number): z.ZodType<number, string> =>
  z
    .string()
    .regex(/^\d{1,12}$/, 'a whole number')
    .transform(Number)
    .refine((value) => value >= least && value <= most, `${String(least)} to ${String(most)}`);
const url = (protocols: readonly string[]): z.ZodType<string, string> =>
  z
    .string()
    .refine(
      (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol),
      `an address that begins with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    );
const priorities = z
  .string()
  .transform((value) => value.split(',').map((name) => name.trim()))
  .refine(
    (names): names is CreditSource[] =>
      [...names].sort().join() === [...CREDIT_SOURCES].sort().join(),
    `each of ${CREDIT_SOURCES.join(', ')} once, first to burn first`,
  );

/** Every variable there is. `.env.example` says what each one means. */
const variables = z.object({
  NODE_ENV: z.enum(['development', 'production', 'test']).default('development'),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: wholeNumber(0, 65_535).default(4000),
  PUBLIC_URL: url(['http:', 'https:']).optional(),
  ROLE: z.enum(['all', 'api', 'worker']).default('all'),
  DATA_DIR: z.string().min(1).default('.talebank'),
  DATABASE_URL: url(['postgres:', 'postgresql:']).optional(),
  DATABASE_POOL_SIZE: wholeNumber(2, 200).default(6),
  EMBEDDED_DATABASE: flag.optional(),
  ADMIN_EMAIL: z.email('an e-mail address').optional(),
  ADMIN_PASSWORD: z
    .string()
    .min(8, '8 to 256 characters')
    .max(256, '8 to 256 characters')
    .optional(),
  SEED: flag.optional(),
  METRICS_PORT: wholeNumber(0, 65_535).optional(),
  METRICS_TOKEN: z.string().min(16, 'at least 16 characters').optional(),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  LOG_FORMAT: z.enum(['auto', 'json', 'pretty']).default('auto'),
  GRAPHIQL: flag.optional(),
  INTROSPECTION: flag.optional(),
  CREDITS_UNIT_LABEL: z.string().min(1).max(40).default('Story Points'),
  CREDITS_UNIT_SIZE: wholeNumber(1, 1_000_000).default(1000),
  CREDIT_SOURCE_PRIORITY: priorities.default([...CREDIT_SOURCES]),
  INITIAL_CREDITS: wholeNumber(0, 1_000_000).default(10),
  MONTHLY_CREDITS: wholeNumber(0, 1_000_000).default(0),
  REFUND_POLICY: z.enum(['GRACE', 'FORFEIT']).default('GRACE'),
  SYNTHESIS_RETRIES: wholeNumber(0, 100).default(4),
  SYNTHESIS_RETRY_DELAY_SECONDS: wholeNumber(0, 3_600).default(5),
  SYNTHESIS_CONCURRENCY: wholeNumber(1, 64).default(2),
  SPEECH_PROVIDER: z.enum(['espeak']).default('espeak'),
  SPEECH_TIMEOUT_SECONDS: wholeNumber(1, 600).default(30),
  MP3_BITRATE_KBPS: z.enum(['32', '48', '64', '96', '128']).transform(Number).default(64),
  ACCESS_TOKEN_TTL: wholeNumber(10, 86_400).default(600),
  REFRESH_IDLE_DAYS: wholeNumber(1, 3_650).default(30),
  REFRESH_MAX_DAYS: wholeNumber(1, 3_650).default(90),
  URL_TTL_SECONDS: wholeNumber(10, 604_800).default(3_600),
});

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
  readonly admin: { readonly email: string; readonly password: string } | null;
  readonly seed: boolean;
  readonly metrics: {
    /** A port of its own; null: /metrics at the API's, for this machine and whoever has the token. */
    readonly port: number | null;
    readonly token: string | null;
  };
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
    readonly refundPolicy: 'GRACE' | 'FORFEIT';
  };
  readonly synthesis: {
    readonly retries: { readonly limit: number; readonly delaySeconds: number };
    readonly concurrency: number;
    readonly speechTimeoutMs: number;
    readonly bitrateKbps: number;
  };
  readonly tokens: {
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
  return {
    production,
    host: env.HOST,
    port: env.PORT,
    publicUrl: env.PUBLIC_URL?.replace(/\/+$/, '') ?? null,
    role: env.ROLE,
    dataDir: isAbsolute(env.DATA_DIR) ? env.DATA_DIR : resolve(env.DATA_DIR),
    databaseUrl: env.EMBEDDED_DATABASE === true ? null : (env.DATABASE_URL ?? null),
    databasePoolSize: env.DATABASE_POOL_SIZE,
    admin: adminOf(env),
    seed: env.SEED ?? !production,
    metrics: { port: env.METRICS_PORT ?? null, token: env.METRICS_TOKEN ?? null },
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
      speechTimeoutMs: env.SPEECH_TIMEOUT_SECONDS * 1000,
      bitrateKbps: env.MP3_BITRATE_KBPS,
    },
    tokens: {
      accessTtlSeconds: env.ACCESS_TOKEN_TTL,
      refreshIdleMs: env.REFRESH_IDLE_DAYS * DAY_MS,
      refreshMaxMs: env.REFRESH_MAX_DAYS * DAY_MS,
      urlTtlSeconds: env.URL_TTL_SECONDS,
    },
  };
}

function adminOf(env: z.infer<typeof variables>): Config['admin'] {
  const { ADMIN_EMAIL: email, ADMIN_PASSWORD: password } = env;
  if (email !== undefined && password !== undefined) return { email, password };
  if (email === undefined && password === undefined) return null;
  const [missing, present] =
    email === undefined ? ['ADMIN_EMAIL', 'ADMIN_PASSWORD'] : ['ADMIN_PASSWORD', 'ADMIN_EMAIL'];
  throw new ConfigError(`${missing} is not set, but ${present} is: set both or neither.`);
}

function priorityOf(order: readonly CreditSource[]): Record<CreditSource, number> {
  const entries = order.map((source, index) => [source, (index + 1) * 10]);
  return Object.fromEntries(entries) as Record<CreditSource, number>;
}

function explain(error: z.ZodError, environment: Environment): string {
  const [issue] = error.issues;
  const name = String(issue?.path[0]);
  const secret = /PASSWORD|SECRET|KEY|TOKEN$|DATABASE_URL/.test(name);
  const found = secret ? 'a value' : JSON.stringify(environment[name]);
  const allowed =
    issue?.code === 'invalid_value' ? issue.values.join(', ') : (issue?.message ?? 'another value');
  return `${name} is ${found}, but must be ${allowed}.`;
}
