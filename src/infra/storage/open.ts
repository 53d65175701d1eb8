import { join } from 'node:path';
import { messageOf } from '../../domain/errors.js';
import { propertyOf } from '../../domain/objects.js';
import type { Config } from '../../config.js';
import { StartError } from '../start-error.js';
import { openLocalStorage } from './local.js';
import type { Bucket } from './s3-client.js';
import { statusOf } from './s3-errors.js';
import type { Storage } from './storage.js';

/**
 * Opens the folder `audio` of DATA_DIR, or the bucket. `requireStorage` checks afterwards whether it can be written.
 */
export async function openStorage({
  storage,
  dataDir,
}: Pick<Config, 'storage' | 'dataDir'>): Promise<Storage> {
  if (storage.kind === 'local') return openLocalStorage(join(dataDir, 'audio'));
  // The SDK takes longer to load than the rest of the storage, and most servers do without it.
  const { openS3Storage } = await import('./s3.js');
  return openS3Storage(storage);
}

/** @throws StartError when recordings could not be kept, with the variable that is probably wrong */
export async function requireStorage(
  storage: Storage,
  config: Pick<Config, 'storage' | 'dataDir'>,
): Promise<void> {
  try {
    await storage.check();
  } catch (error) {
    throw new StartError(
      config.storage.kind === 's3'
        ? explainBucket(config.storage, error)
        : `DATA_DIR is ${config.dataDir}, but cannot be written: ${messageOf(error)}`,
    );
  }
}

/** The question has no body in its answer, so that its status is all that a server says. */
function explainBucket({ name, endpoint, region, credentials }: Bucket, error: unknown): string {
  const where = endpoint === null ? 'Amazon' : new URL(endpoint).host;
  switch (statusOf(error)) {
    case 404:
      return `S3_BUCKET is ${name}, but there is no such bucket at ${where}.`;
    case 401:
    case 403:
      return `S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY: ${where} refuses them for the bucket ${name}.`;
    case 301:
    case 400:
      return `S3_REGION is ${region}, but the bucket ${name} at ${where} is probably in another one.`;
  }
  const message = messageOf(error);
  if (credentials === null && propertyOf(error, 'name') === 'CredentialsProviderError')
    return `S3_ACCESS_KEY_ID is not set, and the SDK finds no credentials by itself: ${message}`;
  return `S3_ENDPOINT: the storage at ${where} cannot be reached: ${message}`;
}
