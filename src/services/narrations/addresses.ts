import { createHmac, timingSafeEqual } from 'node:crypto';
import type { App } from '../../app.js';
import { fileNameOf } from './file-names.js';
import type { AudioView } from './audios.js';

/** A recording, its captions, or one spoken sentence. */
export type FileEnding = 'mp3' | 'vtt' | 'part';

/** The path of signed addresses of files. */
export const FILES_PATH = '/files';

/** The storage key of a file. The hash covers everything that determines its content. */
export const storageKey = (hash: string, ending: FileEnding): string => `${hash}.${ending}`;

/** The part of a story that an address needs. */
type Titled = Promise<{ readonly title: string }>;

/**
 * A signed address of one of the narration's files, valid for URL_TTL_SECONDS. Null unless the narration is READY. The
 * signature covers the title, which names the file when it is saved, because stories with equal texts share a file but
 * not their titles.
 * @param loadStory is called only when there is an address
 */
export async function signedUrl(
  app: App,
  audio: Pick<AudioView, 'renditionHash' | 'status'>,
  ending: 'mp3' | 'vtt',
  loadStory: () => Titled,
): Promise<string | null> {
  if (audio.status !== 'READY' || audio.renditionHash === null) return null;
  const key = storageKey(audio.renditionHash, ending);
  return signed(app, `${FILES_PATH}/${key}`, key, await loadStory());
}

/**
 * Signs an address. It is valid for URL_TTL_SECONDS.
 * @param key the part of the address that is signed, besides the expiry and the name
 * @param about the title, which names the file when it is saved
 */
export function signed(app: App, path: string, key: string, { title }: { title: string }): string {
  const expires = String(expiryOf(app));
  const name = fileNameOf(title);
  const signature = sign(app, { key, expires, name }).toString('base64url');
  return `${app.publicUrl()}${path}?expires=${expires}&name=${encodeURIComponent(name)}&signature=${signature}`;
}

/** Until when the addresses of a narration are valid that are signed now. Null when it has none. */
export const addressesExpireAt = (app: App, { status }: Pick<AudioView, 'status'>): Date | null =>
  status === 'FAILED' || status === 'CANCELLED' ? null : new Date(expiryOf(app) * 1000);

/** In seconds since 1970. */
export const expiryOf = ({ config }: App): number =>
  Math.floor(Date.now() / 1000) + config.tokens.urlTtlSeconds;

/** The path of signed addresses of narrations that are being made. */
export const STREAMS_PATH = '/streams';

/** The key that is signed for a narration that is being made. */
export const streamKey = (audioId: string): string => `stream/${audioId}`;

/** A signed address of the stream of a narration. Null when the narration is not being made. */
export async function streamUrl(
  app: App,
  { id, status }: Pick<AudioView, 'id' | 'status'>,
  loadStory: () => Titled,
): Promise<string | null> {
  if (status !== 'QUEUED' && status !== 'PROCESSING') return null;
  return signed(app, `${STREAMS_PATH}/${id}.mp3`, streamKey(id), await loadStory());
}

/** The parts of an address that the signature covers. */
interface Signed {
  readonly key: string;
  readonly expires: string;
  /** The name of the file when it is saved. Addresses of earlier releases have none. */
  readonly name?: string | undefined;
}

/** Whether the signature is valid and the address has not expired. */
export function isSigned(app: App, address: Signed & { readonly signature: string }): boolean {
  const given = Buffer.from(address.signature, 'base64url');
  const right = sign(app, address);
  const same = given.length === right.length && timingSafeEqual(given, right);
  return same && Number(address.expires) > Date.now() / 1000;
}

const sign = (app: App, { key, expires, name }: Signed): Buffer =>
  createHmac('sha256', app.urlSecret)
    .update(name === undefined ? `${key}\n${expires}` : `${key}\n${expires}\n${name}`)
    .digest();
