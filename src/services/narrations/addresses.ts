import type { App } from '../app.js';
import { fileNameOf } from './file-names.js';
import type { AudioView } from './audios.js';
import { packTag, tagOf, type Tagged } from './tags/tags.js';

/** A recording, its captions, or one spoken sentence. */
export type FileEnding = 'mp3' | 'vtt' | 'part';

/** The path of signed addresses of files. */
export const FILES_PATH = '/files';

/** The storage key of a file. The hash covers everything that determines its content. */
export const storageKey = (hash: string, ending: FileEnding): string => `${hash}.${ending}`;

/** The part of a story that an address needs. */
type Told = Promise<Tagged>;

/**
 * A signed address of one of the narration's files, valid for URL_TTL_SECONDS. Null unless the narration is READY. The
 * signature covers what the file's name and its tag say of the story, because stories with equal texts share a file but
 * not their titles.
 * @param loadStory is called only when there is an address
 */
export async function signedUrl(
  app: App,
  audio: Pick<AudioView, 'renditionHash' | 'status'>,
  ending: 'mp3' | 'vtt',
  loadStory: () => Told,
): Promise<string | null> {
  if (audio.status !== 'READY' || audio.renditionHash === null) return null;
  const key = storageKey(audio.renditionHash, ending);
  const { title, author, language } = await loadStory();
  const tag = ending === 'mp3' ? packTag({ title, author, language }) : undefined;
  return signed(app, `${FILES_PATH}/${key}`, key, { title, tag });
}

/**
 * Signs an address. It is valid for URL_TTL_SECONDS, unless it has an expiry of its own.
 * @param key the part of the address that is signed, besides the expiry and the name
 * @param about the title, which names the file when it is saved, and the tag that it begins with, as `packTag` writes it
 */
export async function signed(
  app: App,
  path: string,
  key: string,
  about: { readonly title: string; readonly tag?: string | undefined; readonly expiresAt?: Date },
): Promise<string> {
  const { title, tag, expiresAt } = about;
  const expires = String(
    expiresAt === undefined ? expiryOf(app) : Math.floor(expiresAt.getTime() / 1000),
  );
  const name = fileNameOf(title);
  const { urlKeys } = app;
  const signature = (await urlKeys.sign(signedText({ key, expires, name }))).toString('base64url');
  const tagged =
    tag === undefined
      ? ''
      : `&tag=${tag}.${(await urlKeys.sign(tagText(signature, tag))).toString('base64url')}`;
  return `${app.publicUrl()}${path}?expires=${expires}&name=${encodeURIComponent(name)}${tagged}&signature=${signature}`;
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
  loadStory: () => Told,
): Promise<string | null> {
  if (status !== 'QUEUED' && status !== 'PROCESSING') return null;
  const { title, author, language } = await loadStory();
  const tag = packTag({ title, author, language });
  return signed(app, `${STREAMS_PATH}/${id}.mp3`, streamKey(id), { title, tag });
}

/** The parts of an address that the signature covers. */
interface Signed {
  readonly key: string;
  readonly expires: string;
  /** The name of the file when it is saved. Addresses of earlier releases have none. */
  readonly name?: string | undefined;
  /** What its tag says, with a signature. Addresses of captions, of statements and of earlier releases have none. */
  readonly tag?: string | undefined;
}

/** Whether the signature is valid and the address has not expired. */
export async function isSigned(
  { urlKeys }: Pick<App, 'urlKeys'>,
  address: Signed & { readonly signature: string },
): Promise<boolean> {
  const { expires, signature, tag: signedTag } = address;
  if (!(Number(expires) > Date.now() / 1000)) return false;
  if (!(await urlKeys.isSigned(signedText(address), bytesOf(signature)))) return false;
  if (signedTag === undefined) return true;
  const [tag = '', given = ''] = signedTag.split('.');
  return urlKeys.isSigned(tagText(signature, tag), bytesOf(given));
}

const bytesOf = (signature: string): Buffer => Buffer.from(signature, 'base64url');

const signedText = ({ key, expires, name }: Signed): string =>
  name === undefined ? `${key}\n${expires}` : `${key}\n${expires}\n${name}`;

/**
 * The tag has a signature of its own, over the address's, because processes of the earlier release ignore the tag during
 * an update and would refuse a signature that covers it.
 */
const tagText = (signature: string, tag: string): string => JSON.stringify([signature, tag]);

/** The length in bytes of what the address of a narration's MP3 answers: its tag and the recording. Null unless READY. */
export async function servedLength(
  { status, lengthBytes }: Pick<AudioView, 'status' | 'lengthBytes'>,
  loadStory: () => Told,
): Promise<number | null> {
  if (status !== 'READY' || lengthBytes === null) return null;
  return tagOf(await loadStory()).length + lengthBytes;
}
