import { z } from 'zod';
import { CREDIT_SOURCES } from './domain/ledger/lots.js';
import { email, passwordText } from './services/validation.js';
import {
  databaseAddress,
  flag,
  isOrigin,
  list,
  priorities,
  privateKeys,
  proxies,
  rate,
  url,
  wholeNumber,
  withoutLastSlashes,
  word,
} from './variables/value-types.js';
import { anchorVariables } from './variables/anchors.js';
import { bucketName, bucketPrefix } from './variables/buckets.js';
import { metricsVariables } from './variables/metrics.js';
import { speechVariables } from './variables/speech.js';
import { tracingVariables } from './variables/tracing.js';

/** All environment variables. `.env.example` explains each. */
export const variables = z.object({
  NODE_ENV: z.enum(['development', 'production', 'test']).default('development'),
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: wholeNumber(0, 65_535).default(4000),
  PUBLIC_URL: url(['http:', 'https:']).transform(withoutLastSlashes).optional(),
  ROLE: z.enum(['all', 'api', 'worker']).default('all'),
  DATA_DIR: z.string().min(1).default('.talebank'),
  DATABASE_URL: databaseAddress.optional(),
  DATABASE_POOL_SIZE: wholeNumber(2, 200).default(6),
  EMBEDDED_DATABASE: flag.optional(),
  STORAGE: z.enum(['local', 's3']).default('local'),
  S3_BUCKET: bucketName.optional(),
  S3_ENDPOINT: url(['http:', 'https:']).optional(),
  S3_REGION: word.default('us-east-1'),
  S3_ACCESS_KEY_ID: word.optional(),
  S3_SECRET_ACCESS_KEY: word.optional(),
  S3_FORCE_PATH_STYLE: flag.optional(),
  S3_PREFIX: bucketPrefix.default(''),
  ADMIN_EMAIL: email.optional(),
  ADMIN_PASSWORD: passwordText.optional(),
  SEED: flag.optional(),
  ...metricsVariables,
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  LOG_FORMAT: z.enum(['auto', 'json', 'pretty']).default('auto'),
  EVENT_LOOP_STALL_SECONDS: wholeNumber(0, 600).default(10),
  WEB: flag.default(true),
  GRAPHIQL: flag.optional(),
  INTROSPECTION: flag.optional(),
  CREDITS_UNIT_LABEL: z.string().max(40, '1 to 40 characters').default('Story Points'),
  CREDITS_UNIT_SIZE: wholeNumber(1, 1_000_000).default(1000),
  CREDITS_LOW_BELOW: wholeNumber(0, 1_000_000).default(3),
  CREDIT_SOURCE_PRIORITY: priorities.default([...CREDIT_SOURCES]),
  INITIAL_CREDITS: wholeNumber(0, 1_000_000).default(10),
  MONTHLY_CREDITS: wholeNumber(0, 1_000_000).default(0),
  APPROVAL_ABOVE: wholeNumber(0, 2_000_000_000).optional(),
  REFUND_POLICY: z.enum(['GRACE', 'FORFEIT']).default('GRACE'),
  RECONCILE_REPAIR: flag.default(true),
  SYNTHESIS_RETRIES: wholeNumber(0, 100).default(4),
  SYNTHESIS_RETRY_DELAY_SECONDS: wholeNumber(0, 3_600).default(5),
  SYNTHESIS_DEATHS: wholeNumber(1, 100).default(3),
  SYNTHESIS_DEADLINE: wholeNumber(0, 7 * 86_400).default(3_600),
  SYNTHESIS_CONCURRENCY: wholeNumber(1, 64).default(2),
  ...anchorVariables,
  ...speechVariables,
  ...tracingVariables,
  MP3_BITRATE_KBPS: z.enum(['32', '48', '64', '96', '128']).transform(Number).default(64),
  ACCESS_TOKEN_TTL: wholeNumber(10, 86_400).default(600),
  REFRESH_IDLE_DAYS: wholeNumber(1, 3_650).default(30),
  REFRESH_MAX_DAYS: wholeNumber(1, 3_650).default(90),
  URL_TTL_SECONDS: wholeNumber(10, 604_800).default(3_600),
  JWT_PRIVATE_KEYS: privateKeys(2, 'make').optional(),
  SMTP_URL: url(['smtp:', 'smtps:']).optional(),
  MAIL_FROM: z
    .string()
    .min(3, '3 to 300 characters')
    .max(300, '3 to 300 characters')
    .default('Talebank <talebank@localhost>'),
  SECURITY_CONTACT: url(['mailto:', 'https:']).optional(),
  CORS_ORIGINS: list
    .refine(
      (origins) => origins.every(isOrigin),
      'origins, for example https://stories.example.com',
    )
    .default([]),
  TRUST_PROXY: proxies.default(false),
  CONNECTIONS_MAX: wholeNumber(1, 1_000_000).default(5_000),
  CONNECTIONS_PER_ADDRESS_MAX: wholeNumber(1, 1_000_000).default(1_000),
  SUBSCRIPTIONS_PER_USER: wholeNumber(1, 100_000).default(100),
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
  RATE_LIMIT_LISTENING: rate.default({ times: 60, seconds: 60 }),
  RATE_LIMIT_SAMPLES: rate.default({ times: 60, seconds: 60 }),
  RATE_LIMIT_CREDIT_READS: rate.default({ times: 60, seconds: 60 }),
  RATE_LIMIT_ADMIN_WRITES: rate.default({ times: 60, seconds: 60 }),
  RATE_LIMIT_DELETE_ACCOUNT: rate.default({ times: 3, seconds: 300 }),
  RATE_LIMIT_MAILS: rate.default({ times: 10, seconds: 3_600 }),
  RATE_LIMIT_IPV6_SITE_FACTOR: wholeNumber(1, 65_536).default(4),
});
