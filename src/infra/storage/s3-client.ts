import { createHash } from 'node:crypto';
import { S3Client, type DeleteObjectsCommand, type S3ClientConfig } from '@aws-sdk/client-s3';
import { isObject } from '../../domain/objects.js';
import type { Bucket } from '../../config.js';

export type { Bucket };

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
 * Two clients with separate connections, because a listener who pauses keeps a connection busy. That must neither count as
 * a silent server nor delay writes.
 */
export function createS3Clients(
  bucket: Bucket,
  { connectMs, idleMs }: S3Timeouts,
  settings: Pick<S3ClientConfig, 'logger'> = {},
): { client: S3Client; reader: S3Client } {
  const shared = {
    ...settings,
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
      httpAgent: { maxSockets: READERS_MAX },
      httpsAgent: { maxSockets: READERS_MAX },
    },
  });
  return { client, reader };
}

const READERS_MAX = 1_000;

/** Adds Content-MD5, because some S3-compatible servers insist on it, while Amazon also takes a newer checksum. */
export function withContentMd5(command: DeleteObjectsCommand): DeleteObjectsCommand {
  command.middlewareStack.add(
    (next) => (args) => {
      const { request } = args;
      if (!hasText(request)) throw new Error('The request to S3 has no text.');
      request.headers['content-md5'] = createHash('md5').update(request.body).digest('base64');
      return next(args);
    },
    { step: 'build', name: 'contentMd5' },
  );
  return command;
}

/** Whether this is a request of HTTP whose body is in memory. The types of the SDK say nothing about it. */
const hasText = (request: unknown): request is { body: string; headers: Record<string, string> } =>
  isObject(request) && typeof request['body'] === 'string' && isObject(request['headers']);
