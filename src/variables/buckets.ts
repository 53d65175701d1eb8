import { z } from 'zod';
import { bothOrNeither } from './config-error.js';

export interface Bucket {
  readonly kind: 's3';
  /** The name of the bucket. */
  readonly name: string;
  /** Null for Amazon's endpoint. */
  readonly endpoint: string | null;
  readonly region: string;
  /** Null for the credentials that Amazon's SDK finds by itself. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | null;
  /** Whether the bucket is named in the path instead of the host. */
  readonly forcePathStyle: boolean;
  /** The prefix of every key. */
  readonly prefix: string;
}

export const bucketName = z.string().regex(/^[\w.-]{3,63}$/, 'the name of a bucket');
export const bucketPrefix = z
  .string()
  .regex(/^[\w/-]{0,200}$/, 'letters, digits, slashes, underscores and hyphens');

/** The bucket of the variables that begin with `variable`. @throws ConfigError */
export function bucketOf(
  variable: 'S3' | 'ANCHOR_S3',
  given: {
    readonly name: string;
    readonly endpoint: string | undefined;
    readonly region: string;
    readonly accessKeyId: string | undefined;
    readonly secretAccessKey: string | undefined;
    readonly forcePathStyle: boolean | undefined;
    readonly prefix: string;
  },
): Bucket {
  const { accessKeyId, secretAccessKey, endpoint, forcePathStyle, ...same } = given;
  bothOrNeither({
    [`${variable}_ACCESS_KEY_ID`]: accessKeyId,
    [`${variable}_SECRET_ACCESS_KEY`]: secretAccessKey,
  });
  return {
    kind: 's3',
    ...same,
    endpoint: endpoint ?? null,
    credentials:
      accessKeyId === undefined || secretAccessKey === undefined
        ? null
        : { accessKeyId, secretAccessKey },
    forcePathStyle: forcePathStyle ?? endpoint !== undefined,
  };
}
