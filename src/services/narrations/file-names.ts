import { slugify } from '../../domain/text.js';

/** Less than the 255 bytes of common file systems, because a browser may add a number or another ending. */
const NAME_BYTES_MAX = 180;
const NAME_WITHOUT_TITLE = 'recording';

/**
 * The file name without an ending for a title: one line that is not a path, does not begin or end with a dot, and has
 * at most NAME_BYTES_MAX bytes.
 */
export function fileNameOf(title: string): string {
  const name = cut(
    title
      .toWellFormed()
      .replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, '')
      .replace(/[/\\]/g, '_'),
  );
  return trimDots(name) || NAME_WITHOUT_TITLE;
}

function cut(name: string): string {
  let bytes = 0;
  let kept = '';
  for (const character of name) {
    bytes += Buffer.byteLength(character);
    if (bytes > NAME_BYTES_MAX) break;
    kept += character;
  }
  return kept;
}

function trimDots(name: string): string {
  const isKept = (character: string): boolean => character !== '.' && character.trim() !== '';
  const characters = Array.from(name);
  const first = characters.findIndex(isKept);
  return first < 0 ? '' : characters.slice(first, characters.findLastIndex(isKept) + 1).join('');
}

/**
 * The value of `Content-Disposition` (RFC 6266) for a file that is played in the browser, and that has this name when
 * it is saved. Old clients read `filename`, which is ASCII without characters that need an escape. Others read
 * `filename*` (RFC 8187).
 */
export const inlineDisposition = (name: string, ending: string): string =>
  `inline; ${fileNameParameters(name, ending)}`;

/** The value of `Content-Disposition` for a file that is downloaded. */
export const attachmentDisposition = (name: string, ending: string): string =>
  `attachment; ${fileNameParameters(name, ending)}`;

const fileNameParameters = (name: string, ending: string): string =>
  `filename="${asciiOf(name)}.${ending}"; filename*=UTF-8''${encoded(`${name}.${ending}`)}`;

const asciiOf = (name: string): string =>
  /^[\x20-\x7e]+$/.test(name)
    ? name.replaceAll('"', "'").replace(/[%\\]/g, '_')
    : slugify(name) || NAME_WITHOUT_TITLE;

/** RFC 8187 does not allow some characters that encodeURIComponent leaves as they are. */
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(
    /['-*]/g,
    (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`,
  );
