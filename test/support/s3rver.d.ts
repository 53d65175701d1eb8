/** What the tests use of s3rver, which comes without types. */
declare module 's3rver' {
  import type { RequestListener } from 'node:http';

  export default class S3rver {
    constructor(options: {
      directory: string;
      silent: boolean;
      vhostBuckets: boolean;
      configureBuckets: readonly { name: string }[];
    });
    store: unknown;
    readonly context: { store: unknown };
    configureBuckets(): Promise<void>;
    callback(): RequestListener;
  }
}

declare module 's3rver/lib/stores/filesystem.js' {
  import type { Readable } from 'node:stream';

  export interface StoredObject {
    readonly bucket: string;
    readonly key: string;
    readonly content: Readable;
    readonly metadata: Record<string, string>;
  }

  export interface FoundObject {
    content: Readable | null;
    range?: { start: number; end: number };
  }

  export default class FilesystemStore {
    constructor(directory: string);
    getResourcePath(bucket: string, key: string | undefined, resource: string): string;
    putMetadata(
      bucket: string,
      key: string,
      metadata: Record<string, string>,
      md5: string,
    ): Promise<void>;
    getObject(
      bucket: string,
      key: string,
      range: { start?: number; end?: number },
    ): Promise<FoundObject | null>;
    listObjects(
      bucket: string,
      options: { prefix: string; startAfter: string; maxKeys: number },
    ): Promise<{
      objects: readonly { key: string; size: number; lastModifiedDate: Date }[];
      isTruncated: boolean;
    }>;
    putObject(object: StoredObject): Promise<{ size: number; md5: string }>;
  }
}
