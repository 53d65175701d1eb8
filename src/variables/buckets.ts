import { z } from 'zod';
import type { Bucket } from '../config.js';
import { bothOrNeither } from './config-error.js';

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
