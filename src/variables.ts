import { isIP } from 'node:net';
import { z } from 'zod';
import { CREDIT_SOURCES, type CreditSource } from './domain/ledger/lots.js';
import type { Rate } from './domain/limits.js';

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

const list = z.string().transform((value) =>
  value
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== ''),
);
const isOrigin = (value: string): boolean =>
  URL.canParse(value) &&
  /^https?:$/.test(new URL(value).protocol) &&
  new URL(value).origin === value;
const isNetwork = (value: string): boolean => {
  const [address = '', bits, ...rest] = value.split('/');
  if (['loopback', 'linklocal', 'uniquelocal'].includes(value)) return true;
  const most = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
  return (
    most > 0 &&
    rest.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most))
  );
};
/** Which proxies are believed: none, all, the nearest so many, or those with these addresses. */
const proxies = z
  .string()
  .transform((value): boolean | number | string[] => {
    if (value === 'true' || value === 'false') return value === 'true';
    return /^\d{1,2}$/.test(value) ? Number(value) : list.parse(value);
  })
  .refine(
    (value) => !Array.isArray(value) || value.every(isNetwork),
    'true, false, a number of proxies, or addresses and networks, for example loopback,10.0.0.0/8',
  );
/** At least two Ed25519 keys as JSON Web Keys, the one that signs first. */
const privateKeys = z
  .string()
  .transform((value, context): unknown => {
    try {
      return JSON.parse(value);
    } catch {
      context.addIssue({ code: 'custom', message: 'JSON' });
      return z.NEVER;
    }
  })
  .pipe(
    z
      .array(
        z.object({
          kty: z.literal('OKP'),
          crv: z.literal('Ed25519'),
          kid: z.string().min(1).max(200),
          x: z.base64url(),
          d: z.base64url(),
        }),
        'a list of at least two private Ed25519 keys, as `npm run keys -- make` prints it',
      )
      .min(2, 'at least two private keys')
      .refine(
        (keys) => new Set(keys.map(({ kid }) => kid)).size === keys.length,
        'keys with different kids',
      ),
  );
const word = z.string().regex(/^\S{1,300}$/, 'a value without spaces');
/** So many times in so many seconds. */
const rate = z
  .string()
  .regex(/^[1-9]\d{0,6}\/[1-9]\d{0,5}$/, 'a number of times and of seconds, for example 10/60')
  .transform((value): Rate => {
    const [times, seconds] = value.split('/').map(Number);
    return { times: times ?? 1, seconds: seconds ?? 1 };
  });

/** Every variable there is. `.env.example` says what each one means. */
export const variables = z.object({
  NODE_ENV: z.enum(['development', 'production', 'test']).default('development'),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: wholeNumber(0, 65_535).default(4000),
  PUBLIC_URL: url(['http:', 'https:']).optional(),
  ROLE: z.enum(['all', 'api', 'worker']).default('all'),
  DATA_DIR: z.string().min(1).default('.talebank'),
  DATABASE_URL: url(['postgres:', 'postgresql:']).optional(),
  DATABASE_POOL_SIZE: wholeNumber(2, 200).default(6),
  EMBEDDED_DATABASE: flag.optional(),
  STORAGE: z.enum(['local', 's3']).default('local'),
  S3_BUCKET: z
    .string()
    .regex(/^[\w.-]{3,63}$/, 'the name of a bucket')
    .optional(),
  S3_ENDPOINT: url(['http:', 'https:']).optional(),
  S3_REGION: word.default('us-east-1'),
  S3_ACCESS_KEY_ID: word.optional(),
  S3_SECRET_ACCESS_KEY: word.optional(),
  S3_FORCE_PATH_STYLE: flag.optional(),
  S3_PREFIX: z
    .string()
    .regex(/^[a-zA-Z0-9/_-]{0,200}$/, 'letters, digits, slashes, underscores and hyphens')
    .default(''),
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
  JWT_PRIVATE_KEYS: privateKeys.optional(),
  SMTP_URL: url(['smtp:', 'smtps:']).optional(),
  MAIL_FROM: z.string().min(3).max(300).default('Talebank <talebank@localhost>'),
  SECURITY_CONTACT: url(['mailto:', 'https:']).optional(),
  CORS_ORIGINS: list
    .refine(
      (origins) => origins.every(isOrigin),
      'origins, for example https://stories.example.com',
    )
    .default([]),
  TRUST_PROXY: proxies.default(false),
  RATE_LIMIT_FACTOR: z
    .string()
    .regex(/^\d{1,9}(\.\d{1,6})?$/, 'a number above 0')
    .transform(Number)
    .refine((factor) => factor > 0, 'a number above 0')
    .default(1),
  RATE_LIMIT_LOGIN: rate.default({ times: 10, seconds: 60 }),
  RATE_LIMIT_REGISTER: rate.default({ times: 5, seconds: 60 }),
  RATE_LIMIT_REFRESH: rate.default({ times: 30, seconds: 60 }),
  RATE_LIMIT_RESET: rate.default({ times: 5, seconds: 300 }),
  RATE_LIMIT_RESEND: rate.default({ times: 5, seconds: 300 }),
  RATE_LIMIT_MAILED_TOKENS: rate.default({ times: 30, seconds: 60 }),
  RATE_LIMIT_SYNTHESIZE: rate.default({ times: 10, seconds: 60 }),
  RATE_LIMIT_CREDIT_READS: rate.default({ times: 60, seconds: 60 }),
  RATE_LIMIT_ADMIN_WRITES: rate.default({ times: 60, seconds: 60 }),
  RATE_LIMIT_DELETE_ACCOUNT: rate.default({ times: 3, seconds: 300 }),
});
