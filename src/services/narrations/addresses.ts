import { createHmac, timingSafeEqual } from 'node:crypto';
import type { App } from '../../app.js';
import type { AudioView } from './audios.js';

export type FileEnding = 'mp3' | 'vtt';

/** Under this path the API answers signed addresses. */
export const FILES_PATH = '/files';

/** What a rendition's files are stored under. */
export const storageKey = (renditionHash: string, ending: FileEnding): string =>
  `${renditionHash}.${ending}`;

/** A signed address of one of the narration's files, good for an hour; null unless it is READY. */
export function signedUrl(
  app: App,
  audio: Pick<AudioView, 'renditionHash' | 'status'>,
  ending: FileEnding,
): string | null {
  if (audio.status !== 'READY' || audio.renditionHash === null) return null;
  const key = storageKey(audio.renditionHash, ending);
  const expires = String(Math.floor(Date.now() / 1000) + app.config.tokens.urlTtlSeconds);
  const signature = sign(app, key, expires).toString('base64url');
  return `${app.publicUrl()}${FILES_PATH}/${key}?expires=${expires}&signature=${signature}`;
}

/** Whether we signed this address, and it has not expired. */
export function isSigned(
  app: App,
  address: { key: string; expires: string; signature: string },
): boolean {
  const given = Buffer.from(address.signature, 'base64url');
  const right = sign(app, address.key, address.expires);
  const same = given.length === right.length && timingSafeEqual(given, right);
  return same && Number(address.expires) > Date.now() / 1000;
}

const sign = (app: App, key: string, expires: string): Buffer =>
  createHmac('sha256', app.urlSecret).update(`${key}\n${expires}`).digest();
