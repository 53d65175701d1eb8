import { createHash } from 'node:crypto';
import { S3Client, type DeleteObjectsCommand } from '@aws-sdk/client-s3';
import type { Config } from '../../config.js';

export type Bucket = Extract<Config['storage'], { kind: 's3' }>;

/** How long a server may be silent before that is a failure. */
export interface S3Timeouts {
  readonly connectMs: number;
  /** Nothing was sent or received, although there is something to send or to receive. */
  readonly idleMs: number;
  /** For saying whether it is there. */
  readonly checkMs: number;
}

export const S3_TIMEOUTS: S3Timeouts = { connectMs: 3_000, idleMs: 10_000, checkMs: 5_000 };

/** The first try counted in. */
const ATTEMPTS = 3;

/**
 * Two clients with connections of their own: a listener who pauses keeps one busy, and must neither be taken for a
 * server that is silent nor stand in the way of writing.
 */
export function createS3Clients(
  bucket: Bucket,
  { connectMs, idleMs }: S3Timeouts,
): { client: S3Client; reader: S3Client } {
  const shared = {
    region: bucket.region,
    ...(bucket.endpoint === null ? {} : { endpoint: bucket.endpoint }),
    ...(bucket.credentials === null ? {} : { credentials: bucket.credentials }),
    forcePathStyle: bucket.forcePathStyle,
    maxAttempts: ATTEMPTS,
    // By default the SDK appends checksums in a way that many servers store as a part of the file.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  } as const;
  const client = new S3Client({
    ...shared,
    requestHandler: { connectionTimeout: connectMs, socketTimeout: idleMs },
  });
  const reader = new S3Client({
    ...shared,
    requestHandler: {
      connectionTimeout: connectMs,
      // Until the answer begins; after that `readUnlessIdle` looks.
      requestTimeout: idleMs,
      throwOnRequestTimeout: true,
      socketTimeout: 0,
      httpAgent: { maxSockets: MOST_READERS },
      httpsAgent: { maxSockets: MOST_READERS },
    },
  });
  return { client, reader };
}

const MOST_READERS = 1_000;

/** Amazon takes a newer checksum for this one request; some that speak as S3 does insist on the older one. */
export function withContentMd5(command: DeleteObjectsCommand): DeleteObjectsCommand {
  command.middlewareStack.add(
    (next) => (args) => {
      const { body, headers } = args.request as { body: string; headers: Record<string, string> };
      headers['content-md5'] = createHash('md5').update(body).digest('base64');
      return next(args);
    },
    { step: 'build', name: 'contentMd5' },
  );
  return command;
}
