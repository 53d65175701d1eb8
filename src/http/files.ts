import { createHash } from 'node:crypto';
import { pipeline, Readable, Transform } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import parseRange from 'range-parser';
import { z } from 'zod';
import type { App } from '../services/app.js';
import { fileNameOf, inlineDisposition } from '../services/narrations/file-names.js';
import { FILES_PATH, isSigned, STREAMS_PATH } from '../services/narrations/addresses.js';
import { contentTypeOf, openFile } from '../services/narrations/files.js';
import { SAMPLES_PATH } from '../services/narrations/samples/samples.js';
import { putInFront, type Body } from '../services/narrations/tags/own-tags.js';
import { tagIn } from '../services/narrations/tags/tags.js';

const params = z.object({ key: z.string().regex(/^[0-9a-f]{64}\.(mp3|vtt)$/) });
/** What a signed address says beside its path. */
export const signature = z.object({
  expires: z.string().regex(/^\d{1,12}$/),
  name: z.string().max(500).optional(),
  tag: z.string().max(8_000).optional(),
  signature: z.string().max(100),
});

const FOR_PLAYERS = {
  // A player on another site may use the address, because its signature alone gives access.
  'access-control-allow-origin': '*',
  'cross-origin-resource-policy': 'cross-origin',
  'access-control-expose-headers':
    'accept-ranges, content-disposition, content-length, content-range, etag, last-modified, retry-after',
  // Opened by itself, a recording is shown by the browser's own player.
  'content-security-policy':
    "default-src 'none'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'",
};

/** The paths whose answers have the headers FOR_PLAYERS. */
const PLAYERS_PATHS = [`${FILES_PATH}/`, `${STREAMS_PATH}/`, `${SAMPLES_PATH}/`];
const PREFLIGHT_SECONDS = '86400';

/**
 * Lets pages of every site read the answers at signed addresses and at those of samples, including refusals of later hooks. It also answers the
 * preflights of players that send headers of their own.
 */
export function allowPlayers(server: FastifyInstance): void {
  server.addHook('onRequest', (request, reply, done) => {
    if (PLAYERS_PATHS.some((path) => request.url.startsWith(path))) void reply.headers(FOR_PLAYERS);
    done();
  });
  for (const path of PLAYERS_PATHS)
    server.options(`${path}:file`, (request, reply) =>
      reply
        .code(204)
        .headers({
          allow: 'GET, HEAD, OPTIONS',
          'access-control-allow-methods': 'GET, HEAD',
          'access-control-allow-headers': request.headers['access-control-request-headers'] ?? '*',
          'access-control-max-age': PREFLIGHT_SECONDS,
          vary: 'access-control-request-headers',
        })
        .send(),
    );
}

/** The header with the name that a player shows, and under which a browser saves the file. */
export const dispositionOf = (
  { name = NAME_UNTOLD }: { readonly name?: string | undefined },
  ending: string,
): Readonly<Record<string, string>> => ({
  'content-disposition': inlineDisposition(fileNameOf(name), ending),
});

/** Addresses of earlier releases have no name. */
const NAME_UNTOLD = '';

/** Recordings and captions at signed addresses: 403 for a wrong or expired one, 404 for a deleted file. */
export function serveFiles(server: FastifyInstance, app: App): void {
  server.get(`${FILES_PATH}/:key`, { exposeHeadRoute: true }, async (request, reply) => {
    const key = params.safeParse(request.params);
    const address = signature.safeParse(request.query);
    if (!key.success || !address.success) return refuseAddress(reply);
    if (!(await isSigned(app, { ...key.data, ...address.data }))) return refuseAddress(reply);
    const { name, tag } = address.data;
    const file = { key: key.data.key, name, head: tagIn(tag), cacheControl: CACHED };
    return sendFile(app, request, reply, file);
  });
}

interface FileToSend {
  readonly key: string;
  readonly name: string | undefined;
  /** A tag that is sent before the file, as a part of it. */
  readonly head: Uint8Array | null;
  readonly cacheControl: string;
}

/**
 * Answers 403 for an address of a file whose signature is wrong or whose time is over. The two cases have one answer.
 */
export const refuseAddress = (reply: FastifyReply): FastifyReply =>
  reply.code(403).send({ error: 'This address is not valid or has expired. Ask for a new one.' });

/** As long as an address is valid by default. */
const CACHED = 'private, max-age=3600';

/** Sends a stored file, or the range of it that is asked for. 404 when it is gone. */
export async function sendFile(
  app: App,
  request: FastifyRequest,
  reply: FastifyReply,
  { key, name, head: tag, cacheControl }: FileToSend,
): Promise<FastifyReply> {
  const file = await app.storage.stat(key);
  const body = file === null ? null : await putInFront(app, tag, { key, ...file });
  if (file === null || body === null) return gone(reply);
  const { modifiedAt } = file;
  const { head, skipBytes } = body;
  const lengthBytes = (head?.length ?? 0) + file.lengthBytes - skipBytes;
  // A strong ETag, because the key is a hash of everything that determines the bytes.
  const etag = `"${key.slice(0, 32)}-${lengthBytes.toString(36)}${versionOf(head)}"`;
  const about = {
    'content-type': contentTypeOf(key),
    ...dispositionOf({ name }, key.slice(-3)),
    'accept-ranges': 'bytes',
    'cache-control': cacheControl,
    etag,
    'last-modified': modifiedAt.toUTCString(),
  };
  if (matches(request.headers['if-none-match'], etag)) return reply.code(304).headers(about).send();
  const range = rangeOf(request, lengthBytes, { etag, modifiedAt });
  if (range === 'unsatisfiable') {
    const header = { 'content-range': `bytes */${String(lengthBytes)}` };
    return reply
      .code(416)
      .headers({ ...about, ...header })
      .send();
  }
  const { start, end } = range ?? { start: 0, end: lengthBytes - 1 };
  // An empty stream leaves the length that is set alone.
  const bytes =
    request.method === 'HEAD'
      ? Readable.from([])
      : await openBehind(app, key, { head, skipBytes, start, end });
  if (bytes === null) return gone(reply);
  void reply.headers({ ...about, 'content-length': end - start + 1 });
  if (range !== null) {
    void reply
      .code(206)
      .header('content-range', `bytes ${String(start)}-${String(end)}/${String(lengthBytes)}`);
  }
  // If the stream fails, the connection is cut, because a player would take a proper end for the end of the file.
  return reply.send(bytes);
}

/** Tells ETags of files with different heads apart. */
const versionOf = (head: Uint8Array | null): string =>
  head === null ? '' : `-${createHash('sha256').update(head).digest('hex').slice(0, 16)}`;

/**
 * Opens a part of a file with its head. The file is opened even when only the head is wanted, and nothing is sent before
 * its first byte is there, because until then a file that is gone or cannot be read can still be answered as such.
 * @returns null when the file is gone
 */
async function openBehind(
  app: App,
  key: string,
  { head, skipBytes, start, end }: Body & { readonly start: number; readonly end: number },
): Promise<Readable | null> {
  if (head === null) return openFile(app, key, { start, end });
  const before = head.length;
  const first = head.subarray(start, end + 1);
  const range = {
    start: skipBytes + Math.max(0, start - before),
    end: skipBytes + Math.max(0, end - before),
  };
  const rest = await openFile(app, key, range);
  if (rest === null || first.length === 0) return rest;
  const both = behind(first, { isAll: end < before });
  // If one of them fails or is closed, so is the other.
  pipeline(rest, both, () => undefined);
  return both;
}

/** Streams that are not read shall take little memory. */
const HEADED_BUFFER_BYTES = 4096;

/** Gives the head when the first bytes of the file arrive, and then the file, unless the head is all that is wanted. */
function behind(head: Uint8Array, { isAll }: { isAll: boolean }): Transform {
  let isGiven = false;
  return new Transform({
    highWaterMark: HEADED_BUFFER_BYTES,
    transform(chunk: Uint8Array, _encoding, done) {
      if (!isGiven) this.push(head);
      isGiven = true;
      done(null, isAll ? undefined : chunk);
    },
  });
}

const gone = (reply: FastifyReply): FastifyReply =>
  reply.code(404).send({ error: 'This file is gone.' });

/** One range, or the whole file: for several ranges the whole is an allowed answer (RFC 9110, 14.2). */
function rangeOf(
  request: FastifyRequest,
  lengthBytes: number,
  validators: { etag: string; modifiedAt: Date },
): { start: number; end: number } | 'unsatisfiable' | null {
  const { range: header, 'if-range': condition } = request.headers;
  if (header === undefined || !stillSame(condition, validators)) return null;
  const parsed = parseRange(lengthBytes, header, { combine: true });
  if (parsed === -1) return 'unsatisfiable';
  if (parsed === -2 || parsed.type !== 'bytes' || parsed.length !== 1) return null;
  return parsed[0] ?? null;
}

/** If-Range: the range only holds for the file that the client has begun with. */
function stillSame(
  condition: string | string[] | undefined,
  { etag, modifiedAt }: { etag: string; modifiedAt: Date },
): boolean {
  if (condition === undefined) return true;
  if (typeof condition !== 'string') return false;
  return condition.startsWith('"') ? condition === etag : condition === modifiedAt.toUTCString();
}

const matches = (header: string | undefined, etag: string): boolean =>
  (header ?? '')
    .split(',')
    .some((one) => one.trim().replace(/^W\//, '') === etag || one.trim() === '*');
