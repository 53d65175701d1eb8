import { createHmac, timingSafeEqual } from 'node:crypto';
import type { App } from '../../app.js';
import type { AudioView } from './audios.js';

/** A recording, its captions, or one spoken sentence. */
export type FileEnding = 'mp3' | 'vtt' | 'part';

/** Under this path the API answers signed addresses. */
export const FILES_PATH = '/files';

/** What a file is stored under, by the hash of all that decides what is in it. */
export const storageKey = (hash: string, ending: FileEnding): string => `${hash}.${ending}`;

/** A signed address of one of the narration's files, good for an hour; null unless it is READY. */
export function signedUrl(
  app: App,
  audio: Pick<AudioView, 'renditionHash' | 'status'>,
  ending: 'mp3' | 'vtt',
): string | null {
  if (audio.status !== 'READY' || audio.renditionHash === null) return null;
  const key = storageKey(audio.renditionHash, ending);
  return signed(app, `${FILES_PATH}/${key}`, key);
}

function signed(app: App, path: string, key: string): string {
  const expires = String(Math.floor(Date.now() / 1000) + app.config.tokens.urlTtlSeconds);
  const signature = sign(app, key, expires).toString('base64url');
  return `${app.publicUrl()}${path}?expires=${expires}&signature=${signature}`;
}

/** Under this path the API answers signed addresses of narrations in the making. */
export const STREAMS_PATH = '/streams';

/** What is signed of the address of a narration in the making. */
export const streamKey = (audioId: string): string => `stream/${audioId}`;

/** A signed address that plays the narration while it is made; null when it is not being made. */
export function streamUrl(
  app: App,
  { id, status }: Pick<AudioView, 'id' | 'status'>,
): string | null {
  if (status !== 'QUEUED' && status !== 'PROCESSING') return null;
  return signed(app, `${STREAMS_PATH}/${id}.mp3`, streamKey(id));
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
