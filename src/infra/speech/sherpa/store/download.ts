import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '../../../../domain/errors.js';
import { propertyOf, textOf } from '../../../../domain/objects.js';
import { openPrivateFile } from '../../../storage/private-files.js';
import { RefusedArchive } from './archive.js';

const REDIRECTS_MAX = 5;
/** A server that sends nothing for this long has failed. */
const SILENCE_MS = 60_000;

/**
 * Downloads a file over https, also after redirects.
 * @param options.bytesMax larger files are refused
 * @returns the SHA-256 of the file
 * @throws RefusedArchive
 */
export async function download(
  address: string,
  path: string,
  options: { readonly bytesMax: number; readonly silenceMs?: number },
): Promise<string> {
  const { bytesMax, silenceMs = SILENCE_MS } = options;
  const aborting = new AbortController();
  const within = <Result>(work: Promise<Result>): Promise<Result> =>
    inTime(work, silenceMs, aborting);
  try {
    const { body } = await follow(address, aborting.signal, within);
    const hash = createHash('sha256');
    const file = await openPrivateFile(path);
    try {
      let bytes = 0;
      const reader = body.getReader();
      for (;;) {
        const { value, done } = await within(reader.read()).catch(cutShort);
        if (done) break;
        bytes += value.length;
        if (bytes > bytesMax)
          throw new RefusedArchive(`it has more than ${String(bytesMax)} bytes`);
        hash.update(value);
        await file.writeFile(value);
      }
    } finally {
      await file.close();
    }
    return hash.digest('hex');
  } finally {
    aborting.abort();
  }
}

/** Follows redirects itself, because `fetch` would also follow one to an unencrypted address. */
async function follow(
  address: string,
  signal: AbortSignal,
  within: <Result>(work: Promise<Result>) => Promise<Result>,
): Promise<{ body: ReadableStream<Uint8Array> }> {
  let url = address;
  for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects += 1) {
    if (!URL.canParse(url) || new URL(url).protocol !== 'https:')
      throw new RefusedArchive(`${originOf(url)} is not an address that begins with https://`);
    const answer = await within(fetch(url, { redirect: 'manual', signal })).catch(unreachable(url));
    const { status, headers, body } = answer;
    const location = headers.get('location');
    if (status >= 300 && status < 400 && location !== null) {
      url = URL.canParse(location, url) ? new URL(location, url).href : '';
      continue;
    }
    if (status !== 200 || body === null)
      throw new RefusedArchive(`${originOf(url)} has answered with ${String(status)}`);
    return { body };
  }
  throw new RefusedArchive('it is redirected too often');
}

/** Without path and query, which may have a secret. */
const originOf = (url: string): string => {
  const { origin, protocol } = URL.canParse(url)
    ? new URL(url)
    : { origin: 'null', protocol: 'the address' };
  return origin === 'null' ? protocol : origin;
};

const unreachable =
  (url: string) =>
  (error: unknown): never => {
    if (error instanceof RefusedArchive) throw error;
    const cause = propertyOf(error, 'cause');
    const why = codeOf(cause) ?? textOf(propertyOf(cause, 'message')) ?? 'unknown';
    throw new RefusedArchive(`${originOf(url)} cannot be reached (${why})`);
  };

const cutShort = (error: unknown): never => {
  if (error instanceof RefusedArchive) throw error;
  throw new RefusedArchive('the connection has ended before the end of the file');
};

/** @throws RefusedArchive when the work takes too long, and then it is aborted */
async function inTime<Result>(
  work: Promise<Result>,
  limitMs: number,
  aborting: AbortController,
): Promise<Result> {
  const timer = new AbortController();
  const late = sleep(limitMs, null, { signal: timer.signal }).then(() => {
    throw new RefusedArchive(`the server has sent nothing for ${String(limitMs / 1000)} s`);
  });
  // The promise that loses is rejected later, and its error is ignored.
  late.catch(() => undefined);
  work.catch(() => undefined);
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    aborting.abort();
    throw error;
  } finally {
    timer.abort();
  }
}
