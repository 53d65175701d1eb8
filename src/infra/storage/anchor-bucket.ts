import { createHash } from 'node:crypto';
import type { ReadStream } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { PutObjectCommand, type PutObjectCommandInput, type S3Client } from '@aws-sdk/client-s3';
import type { Bucket } from '../../config.js';
import { createS3Clients, S3_TIMEOUTS } from './s3-client.js';
import { statusOf } from './s3-errors.js';
import type { AnchorPlace } from './storage.js';

const DAY_MS = 86_400_000;

const ignore = (): void => undefined;
/** Silent, because the SDK would write to the console that it does not retry streams. Callers log failures. */
const SILENT = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/**
 * A bucket for anchors. It needs the right to put objects and no other one; with `lockDays` also to set their retention, and
 * a bucket that was made with object lock. A file is put in one request, which S3 takes up to 5 GB.
 * @param options.lockDays how long no one, not even the owner of the bucket, can delete or replace a file
 */
export function bucketPlace(bucket: Bucket, options: { lockDays: number | null }): AnchorPlace {
  const { client, reader } = createS3Clients(bucket, S3_TIMEOUTS, { logger: SILENT });
  reader.destroy();
  const { lockDays } = options;
  return {
    name: `${bucket.name}/${bucket.prefix}`,
    async keep(fileName, path) {
      const file = await open(path);
      try {
        await putFile(client, file, {
          Bucket: bucket.name,
          Key: `${bucket.prefix}${fileName}`,
          ContentType: 'application/x-ndjson',
          ...(lockDays === null ? {} : retention(lockDays)),
        });
      } finally {
        await file.close();
      }
    },
    close: () => {
      client.destroy();
    },
  };
}

async function putFile(
  client: S3Client,
  file: FileHandle,
  object: PutObjectCommandInput,
): Promise<void> {
  const { size: ContentLength } = await file.stat();
  // S3 demands it of a request with a retention, and every server that speaks as S3 does knows this checksum.
  const ContentMD5 = await md5Of(file);
  const put = (more: Partial<PutObjectCommandInput>): Promise<unknown> =>
    client.send(
      new PutObjectCommand({ ...object, ContentLength, ContentMD5, ...more, Body: bytesOf(file) }),
    );
  await put({ IfNoneMatch: '*' }).catch((error: unknown) => {
    const status = statusOf(error);
    // It is there: an earlier try was answered too late, or another process was faster.
    if (status === 412) return undefined;
    // This server does not know the condition. A name is never given to another file.
    if (status === 501) return put({});
    throw error;
  });
}

/**
 * The whole file, from an open one, because another process may remove it meanwhile. The client rejects when the stream
 * fails, but does not listen before it reads, and an error without a listener would end the process.
 */
const bytesOf = (file: FileHandle): ReadStream =>
  file.createReadStream({ start: 0, autoClose: false }).on('error', ignore);

const retention = (
  days: number,
): Pick<PutObjectCommandInput, 'ObjectLockMode' | 'ObjectLockRetainUntilDate'> => ({
  ObjectLockMode: 'COMPLIANCE',
  ObjectLockRetainUntilDate: new Date(Date.now() + days * DAY_MS),
});

async function md5Of(file: FileHandle): Promise<string> {
  const hash = createHash('md5');
  const bytes: AsyncIterable<Uint8Array> = bytesOf(file);
  for await (const chunk of bytes) hash.update(chunk);
  return hash.digest('base64');
}
