import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import type { S3Client } from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';
import { asError } from '../../domain/errors.js';
import type { FileWriter } from './storage.js';

/** The smallest part that S3 takes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const PART_BYTES = 5 * 1024 * 1024;

/**
 * Uploads while it is written, a part at a time, so that two are in memory at most: one that is on its way and one
 * that is gathered. A file of one part is put in one request. S3 shows either at its end only, and then whole.
 */
export function openS3Writer(
  client: S3Client,
  object: { Bucket: string; Key: string; ContentType: string },
): FileWriter {
  const body = new PassThrough();
  // Ignored, because `uploaded` rejects with the error.
  body.on('error', () => undefined);
  const upload = new Upload({
    client,
    params: { ...object, Body: body },
    partSize: PART_BYTES,
    queueSize: 1,
  });
  let lengthBytes = 0;
  // When it rejects, the SDK has taken back the parts that were uploaded, as far as the server answers.
  const uploaded = upload.done();
  uploaded.catch((error: unknown) => {
    body.destroy(asError(error));
  });

  return {
    async write(bytes) {
      if (!body.writable) {
        // The body is not read any more: either the upload has failed and this rejects, or the file is finished.
        await uploaded;
        throw new Error('This file was finished.');
      }
      lengthBytes += bytes.length;
      // A copy, because the bytes are sent later, and the caller may have overwritten its buffer by then.
      if (body.write(Buffer.from(bytes))) return;
      // A failed upload destroys the body, so that this does not wait for ever.
      await once(body, 'drain').catch(() => uploaded);
    },
    async finish() {
      body.end();
      await uploaded;
      return lengthBytes;
    },
    async abandon() {
      body.destroy(new Error('This file was abandoned.'));
      await uploaded.catch(() => undefined);
    },
  };
}
