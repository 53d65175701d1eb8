import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import S3rver from 's3rver';
import FilesystemStore, {
  type FoundObject,
  type StoredObject,
} from 's3rver/lib/stores/filesystem.js';

const BUCKET = 'talebank-test';
/** The only ones that s3rver knows. */
const CREDENTIALS = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };

/** Answers instead, or never does: true says that the request is taken care of. */
export type Interference = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface S3Server {
  readonly url: string;
  /** As a configuration has it. */
  readonly bucket: {
    readonly kind: 's3';
    readonly name: string;
    readonly endpoint: string;
    readonly region: string;
    readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
    readonly forcePathStyle: boolean;
    readonly prefix: string;
  };
  /** As an operator says it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Requests so far: the method, the path and the query. */
  readonly requests: string[];
  /** From now on this is asked first. */
  interfere(interference: Interference): void;
  /** Where the object is on this disk. */
  pathOf(key: string): string;
  /** The content type that came with an object. */
  typeOf(key: string): Promise<string>;
  /** Uploads in parts that were neither completed nor aborted. */
  unfinished(): Promise<string[]>;
  /** Makes one of them look begun at another time. */
  backdate(uploadId: string, begun: Date): Promise<void>;
  /** Breaks off every connection and takes no more. */
  stop(): Promise<void>;
  /** Is there again, at the same address with the same objects. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** Where s3rver is unlike S3 in what it keeps. */
class BetterStore extends FilesystemStore {
  /** It writes into an object's place while it receives; S3 puts it there whole. */
  override async putObject(object: StoredObject): Promise<{ size: number; md5: string }> {
    const path = this.getResourcePath(object.bucket, object.key, 'object');
    const partial = `${path}.${randomUUID()}`;
    await mkdir(dirname(path), { recursive: true });
    const hash = createHash('md5');
    let size = 0;
    async function* measured(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
      for await (const chunk of chunks) {
        hash.update(chunk);
        size += chunk.length;
        yield chunk;
      }
    }
    try {
      await pipeline(object.content, measured, createWriteStream(partial));
      await rename(partial, path);
    } finally {
      await rm(partial, { force: true });
    }
    const md5 = hash.digest('hex');
    await this.putMetadata(object.bucket, object.key, object.metadata, md5);
    return { size, md5 };
  }

  /** It takes a range that ends with the first byte for one without an end. */
  override async getObject(
    bucket: string,
    key: string,
    range: { start?: number; end?: number },
  ): Promise<FoundObject | null> {
    const found = await super.getObject(bucket, key, range);
    if (found?.content == null || range.end !== 0) return found;
    found.content.destroy();
    found.range = { start: 0, end: 0 };
    found.content = createReadStream(this.getResourcePath(bucket, key, 'object'), found.range);
    return found;
  }
}

/**
 * s3rver, an S3 server that keeps objects in a folder. Three requests are answered here, from its folder and as S3
 * describes them: it does not implement listing and aborting uploads in parts, and for its lists of several pages
 * it wants a cipher that OpenSSL has given up. Signatures of these three are not looked at.
 */
export async function startS3(): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), 'talebank-s3-'));
  const s3rver = new S3rver({
    directory: folder,
    silent: true,
    vhostBuckets: false,
    configureBuckets: [{ name: BUCKET }],
  });
  await s3rver.configureBuckets();
  const store = new BetterStore(folder);
  s3rver.store = store;
  s3rver.context.store = store;
  const uploads = join(folder, BUCKET, '._S3rver_uploads');
  const handle = s3rver.callback();
  const requests: string[] = [];
  let interference: Interference = () => false;
  const listen = async (port: number): Promise<Server> => {
    const server = createServer((request, response) => {
      requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
      if (interference(request, response)) return;
      answerInstead({ store, uploads }, request, response).then(
        (answered) => {
          if (!answered) handle(request, response);
        },
        () => response.writeHead(500).end(),
      );
    }).listen(port, '127.0.0.1');
    await once(server, 'listening');
    return server;
  };
  let server = await listen(0);
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${String(port)}`;
  const stop = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return {
    url,
    bucket: {
      kind: 's3',
      name: BUCKET,
      endpoint: url,
      region: 'us-east-1',
      credentials: CREDENTIALS,
      forcePathStyle: true,
      prefix: '',
    },
    environment: {
      STORAGE: 's3',
      S3_BUCKET: BUCKET,
      S3_ENDPOINT: url,
      S3_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
      S3_SECRET_ACCESS_KEY: CREDENTIALS.secretAccessKey,
    },
    requests,
    interfere: (next) => {
      interference = next;
    },
    pathOf: (key) => store.getResourcePath(BUCKET, key, 'object'),
    typeOf: async (key) => {
      const file = await readFile(store.getResourcePath(BUCKET, key, 'metadata.json'), 'utf8');
      return (JSON.parse(file) as Record<string, string>)['content-type'] ?? '';
    },
    unfinished: async () => (await uploadsIn(uploads)).map(({ id }) => id),
    backdate: (uploadId, begun) => utimes(join(uploads, uploadId, 'key'), begun, begun),
    stop,
    restart: async () => {
      server = await listen(port);
    },
    close: async () => {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** @returns whether it was one of the three requests */
async function answerInstead(
  { store, uploads }: { store: FilesystemStore; uploads: string },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const { searchParams: query } = new URL(request.url ?? '', 'http://s3');
  const answer = (status: number, xml: string): true => {
    response.writeHead(status, { 'content-type': 'application/xml' }).end(xml);
    return true;
  };
  if (request.method === 'GET' && query.has('uploads'))
    return answer(200, await listUploads(uploads, query));
  if (request.method === 'GET' && query.get('list-type') === '2')
    return answer(200, await listObjects(store, query));
  const uploadId = query.get('uploadId');
  if (request.method !== 'DELETE' || uploadId === null) return false;
  const known = (await uploadsIn(uploads)).some(({ id }) => id === uploadId);
  if (!known)
    return answer(404, '<Error><Code>NoSuchUpload</Code><Message>None.</Message></Error>');
  // A part may be coming in at this moment.
  await rm(join(uploads, uploadId), { recursive: true, force: true, maxRetries: 10 });
  return answer(204, '');
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
async function listObjects(store: FilesystemStore, query: URLSearchParams): Promise<string> {
  const { objects, isTruncated } = await store.listObjects(BUCKET, {
    prefix: query.get('prefix') ?? '',
    startAfter: query.get('continuation-token') ?? '',
    maxKeys: Number(query.get('max-keys') ?? 1000),
  });
  const entries = objects.map(
    ({ key, size, lastModifiedDate }) =>
      `<Contents><Key>${key}</Key><Size>${String(size)}</Size><LastModified>${lastModifiedDate.toISOString()}</LastModified></Contents>`,
  );
  const next = isTruncated
    ? `<NextContinuationToken>${objects.at(-1)?.key ?? ''}</NextContinuationToken>`
    : '';
  return `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<IsTruncated>${String(isTruncated)}</IsTruncated>${next}${entries.join('')}</ListBucketResult>`;
}

interface Upload {
  readonly id: string;
  readonly key: string;
  readonly begun: Date;
}

async function uploadsIn(folder: string): Promise<Upload[]> {
  const ids = await readdir(folder).catch((): string[] => []);
  const found = ids.map(async (id): Promise<Upload | null> => {
    const path = join(folder, id, 'key');
    // Without this file it has hardly begun, or a part has come in after it was aborted.
    const key = await readFile(path, 'utf8').catch(() => '');
    return key === '' ? null : { id, key, begun: (await stat(path)).mtime };
  });
  return (await Promise.all(found)).filter((one) => one !== null);
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html */
async function listUploads(uploads: string, query: URLSearchParams): Promise<string> {
  const all = await uploadsIn(uploads);
  const position = ({ key, id }: { key: string; id: string }): string => `${key}\n${id}`;
  const marker = query.get('key-marker') ?? '';
  // Without the second marker the next key begins.
  const after = marker === '' ? '' : `${marker}\n${query.get('upload-id-marker') ?? '~'}`;
  const rest = all
    .filter((one) => one.key.startsWith(query.get('prefix') ?? '') && position(one) > after)
    .sort((one, other) => (position(one) < position(other) ? -1 : 1));
  const page = rest.slice(0, Number(query.get('max-uploads') ?? 1000));
  const last = page.at(-1);
  const entries = page.map(
    ({ id, key, begun }) =>
      `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${begun.toISOString()}</Initiated></Upload>`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>
<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<Bucket>${BUCKET}</Bucket><IsTruncated>${String(rest.length > page.length)}</IsTruncated>
<NextKeyMarker>${last?.key ?? ''}</NextKeyMarker><NextUploadIdMarker>${last?.id ?? ''}</NextUploadIdMarker>
${entries.join('')}</ListMultipartUploadsResult>`;
}
