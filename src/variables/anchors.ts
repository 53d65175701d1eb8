import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { bucketName, bucketOf, bucketPrefix, type Bucket } from './buckets.js';
import { ConfigError } from './config-error.js';
import { flag, privateKeys, url, wholeNumber, word } from './kinds.js';

export const anchorVariables = {
  ANCHOR_DIR: z.string().min(1).optional(),
  ANCHOR_PRIVATE_KEYS: privateKeys(1, 'make-anchor').optional(),
  ANCHOR_S3_BUCKET: bucketName.optional(),
  ANCHOR_S3_ENDPOINT: url(['http:', 'https:']).optional(),
  ANCHOR_S3_REGION: word.default('us-east-1'),
  ANCHOR_S3_ACCESS_KEY_ID: word.optional(),
  ANCHOR_S3_SECRET_ACCESS_KEY: word.optional(),
  ANCHOR_S3_FORCE_PATH_STYLE: flag.optional(),
  ANCHOR_S3_PREFIX: bucketPrefix.default('anchors/'),
  ANCHOR_OBJECT_LOCK_DAYS: wholeNumber(1, 36_500).optional(),
};

/** The places of anchors besides the audit log and the log, and the keys that sign them. */
export interface AnchorConfig {
  /** An absolute path. */
  readonly folder: string | null;
  readonly bucket: Bucket | null;
  /** How long the bucket must refuse to delete or replace a file (object lock); null: no such retention. */
  readonly objectLockDays: number | null;
  /** The first one signs. Null: a key that is kept in the database. */
  readonly keys: readonly Readonly<Record<'kty' | 'crv' | 'x' | 'd', string>>[] | null;
}

/** @throws ConfigError */
export function anchorsOf(
  env: z.infer<z.ZodObject<typeof anchorVariables>>,
  tokenKeys: readonly { readonly x: string }[],
): AnchorConfig {
  const { ANCHOR_DIR: folder, ANCHOR_PRIVATE_KEYS: keys, ANCHOR_S3_BUCKET: name } = env;
  if (keys?.some(({ x }) => tokenKeys.some((other) => other.x === x)) === true)
    throw new ConfigError(
      'ANCHOR_PRIVATE_KEYS has a key that JWT_PRIVATE_KEYS has too, but a key must sign either anchors or access tokens.',
    );
  if (name === undefined && env.ANCHOR_OBJECT_LOCK_DAYS !== undefined)
    throw new ConfigError(
      'ANCHOR_S3_BUCKET is not set, and ANCHOR_OBJECT_LOCK_DAYS is for files in a bucket.',
    );
  return {
    folder: folder === undefined || isAbsolute(folder) ? (folder ?? null) : resolve(folder),
    bucket: name === undefined ? null : anchorBucketOf(name, env),
    objectLockDays: env.ANCHOR_OBJECT_LOCK_DAYS ?? null,
    keys: keys?.map(({ kty, crv, x, d }) => ({ kty, crv, x, d })) ?? null,
  };
}

const anchorBucketOf = (name: string, env: z.infer<z.ZodObject<typeof anchorVariables>>): Bucket =>
  bucketOf('ANCHOR_S3', {
    name,
    endpoint: env.ANCHOR_S3_ENDPOINT,
    region: env.ANCHOR_S3_REGION,
    accessKeyId: env.ANCHOR_S3_ACCESS_KEY_ID,
    secretAccessKey: env.ANCHOR_S3_SECRET_ACCESS_KEY,
    forcePathStyle: env.ANCHOR_S3_FORCE_PATH_STYLE,
    prefix: env.ANCHOR_S3_PREFIX,
  });
