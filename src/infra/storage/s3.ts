import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  type ListMultipartUploadsCommandOutput,
  type MultipartUpload,
  type S3Client,
} from '@aws-sdk/client-s3';
import {
  createS3Clients,
  S3_TIMEOUTS,
  withContentMd5,
  type Bucket,
  type S3Timeouts,
} from './s3-client.js';
import { readUnlessIdle } from './s3-reader.js';
import { openS3Writer } from './s3-writer.js';
import {
  assertKey,
  contentTypeOf,
  FileMissingError,
  isKey,
  type Storage,
  type StoredFile,
} from './storage.js';

/** As many as one answer lists or one request deletes. */
const PAGE_SIZE = 1_000;

interface ObjectName {
  readonly Bucket: string;
  readonly Key: string;
}

/** A bucket of S3, or of anything that speaks as S3 does. Nothing is sent before the first call. */
export function openS3Storage(
  bucket: Bucket,
  {
    timeouts = S3_TIMEOUTS,
    pageSize = PAGE_SIZE,
  }: { timeouts?: S3Timeouts; pageSize?: number } = {},
): Storage {
  const { client, reader } = createS3Clients(bucket, timeouts);
  const { name: Bucket, prefix } = bucket;
  function objectOf(key: string): ObjectName {
    assertKey(key);
    return { Bucket, Key: `${prefix}${key}` };
  }
  /** Null for what others keep in the bucket. */
  function keyOf(name = ''): string | null {
    const key = name.slice(prefix.length);
    return name.startsWith(prefix) && isKey(key) ? key : null;
  }

  return {
    check: () => requireBucket(client, Bucket, timeouts.checkMs),
    openWriter: (key) =>
      Promise.resolve().then(() =>
        openS3Writer(client, { ...objectOf(key), ContentType: contentTypeOf(key) }),
      ),
    stat: async (key) => statOf(client, objectOf(key)),
    async remove(keys) {
      const names = keys.map((key) => ({ Key: objectOf(key).Key }));
      for (let at = 0; at < names.length; at += pageSize)
        await removeObjects(client, Bucket, names.slice(at, at + pageSize));
    },
    async read(key, range) {
      const found = await readObject({ client, reader }, objectOf(key), range);
      if (found === null) throw new FileMissingError(key);
      return readUnlessIdle(found, timeouts.idleMs);
    },
    async *list() {
      const pages = paginateListObjectsV2({ client, pageSize }, { Bucket, Prefix: prefix });
      for await (const { Contents = [] } of pages) {
        for (const { Key, Size: lengthBytes = 0, LastModified: modifiedAt } of Contents) {
          const key = keyOf(Key);
          if (key !== null && modifiedAt !== undefined) yield { key, lengthBytes, modifiedAt };
        }
      }
    },
    async sweepUnfinished(olderThan) {
      let swept = 0;
      for await (const { Key, UploadId, Initiated } of uploadsIn(client, bucket, pageSize)) {
        if (keyOf(Key) === null || Initiated === undefined || Initiated >= olderThan) continue;
        const abort = new AbortMultipartUploadCommand({ Bucket, Key, UploadId });
        if ((await unlessAbsent(client.send(abort))) !== null) swept += 1;
      }
      return swept;
    },
    close() {
      client.destroy();
      reader.destroy();
      return Promise.resolve();
    },
  };
}

/** @throws when the bucket is not there, or does not answer in time */
async function requireBucket(client: S3Client, Bucket: string, limitMs: number): Promise<void> {
  const abortSignal = AbortSignal.timeout(limitMs);
  try {
    await client.send(new HeadBucketCommand({ Bucket }), { abortSignal });
  } catch (error) {
    if (!abortSignal.aborted) throw error;
    throw new Error(`It did not answer in ${String(limitMs)} ms.`, { cause: error });
  }
}

async function statOf(client: S3Client, object: ObjectName): Promise<StoredFile | null> {
  const found = await unlessAbsent(client.send(new HeadObjectCommand(object)));
  if (found === null) return null;
  const { ContentLength: lengthBytes = 0, LastModified: modifiedAt = new Date(0) } = found;
  return { lengthBytes, modifiedAt };
}

/** Null when it is not there. */
async function readObject(
  { client, reader }: { client: S3Client; reader: S3Client },
  object: ObjectName,
  { start, end }: { start: number; end: number },
): Promise<Readable | null> {
  // A Range header cannot ask for no bytes.
  if (end < start) return (await statOf(client, object)) === null ? null : Readable.from([]);
  const Range = `bytes=${String(start)}-${String(end)}`;
  const found = await unlessAbsent(reader.send(new GetObjectCommand({ ...object, Range })));
  // In Node every body is a stream; the SDK's type also knows browsers.
  return found === null ? null : (found.Body as Readable);
}

async function removeObjects(
  client: S3Client,
  Bucket: string,
  Objects: { Key: string }[],
): Promise<void> {
  const command = new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } });
  const { Errors = [] } = await client.send(withContentMd5(command));
  const [first] = Errors;
  // The request succeeds also when some of the files stay.
  if (first !== undefined)
    throw new Error(
      `${String(Errors.length)} of ${String(Objects.length)} files were not removed; ` +
        `${String(first.Key)}: ${String(first.Code)} ${first.Message ?? ''}`,
    );
}

/** Multipart uploads that were neither completed nor aborted. */
async function* uploadsIn(
  client: S3Client,
  { name: Bucket, prefix: Prefix }: Bucket,
  MaxUploads: number,
): AsyncIterable<MultipartUpload> {
  let after: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
  while (after !== undefined) {
    const page: ListMultipartUploadsCommandOutput = await client.send(
      new ListMultipartUploadsCommand({ Bucket, Prefix, MaxUploads, ...after }),
    );
    yield* page.Uploads ?? [];
    const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
    // A page whose markers do not advance is the last one, even if it says that there are more.
    const further: boolean =
      KeyMarker !== after.KeyMarker || UploadIdMarker !== after.UploadIdMarker;
    after =
      page.IsTruncated === true && further
        ? {
            ...(KeyMarker === undefined ? {} : { KeyMarker }),
            ...(UploadIdMarker === undefined ? {} : { UploadIdMarker }),
          }
        : undefined;
  }
}

/** What S3 answers for a file or an upload that is not there. A bucket that is not there is an error. */
const ABSENT = ['NotFound', 'NoSuchKey', 'NoSuchUpload'];

async function unlessAbsent<Answer>(asked: Promise<Answer>): Promise<Answer | null> {
  try {
    return await asked;
  } catch (error) {
    if (ABSENT.includes((error as Error).name)) return null;
    throw error;
  }
}
