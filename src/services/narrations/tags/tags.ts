import { iso6392 } from 'iso-639-2';
import { LRUCache } from 'lru-cache';
import NodeID3 from 'node-id3';
import { z } from 'zod';
import type { Chapter } from '../../../domain/timing/chapters.js';
import { drawnCover } from './cover.js';

/** What players show of a recording. */
export interface Tagged {
  readonly title: string;
  readonly author: string;
  /** BCP 47. */
  readonly language: string;
}

/** In English, because a tag has one language for it, and players do not translate it. */
const SYNTHETIC = { language: 'eng', text: 'Spoken by a synthetic voice.' };

/** Kept, because players ask for a recording in many ranges. */
const made = new LRUCache<string, Buffer>({ max: 500 });

/**
 * The ID3v2 tag of a recording. It is put in front of the shared file when it is served, because stories with equal texts
 * share the file, but neither title nor author. Equal values make equal bytes.
 */
export function tagOf(about: Tagged): Buffer {
  const key = packTag(about);
  const known = made.get(key);
  if (known !== undefined) return known;
  const tag = NodeID3.create({
    title: plain(about.title),
    artist: plain(about.author),
    language: languageOf(about.language),
    comment: SYNTHETIC,
    image: {
      mime: 'image/png',
      type: { id: FRONT_COVER },
      description: '',
      imageBuffer: Buffer.from(drawnCover(about.title)),
    },
  });
  made.set(key, tag);
  return tag;
}

/** The kind of a picture in a tag (ID3v2.3, 4.15). */
const FRONT_COVER = 3;

const CONTENTS = 'contents';

/**
 * The chapters of a recording as an ID3v2 tag, with a table of contents. It is the beginning of the stored file, because
 * stories with equal texts have the same chapters at the same times. A recording without headings has none.
 */
export function tagOfChapters(chapters: readonly Chapter[]): Uint8Array {
  if (chapters.length === 0) return new Uint8Array();
  const named = chapters.map((chapter, index) => ({
    ...chapter,
    id: `chapter ${String(index + 1)}`,
  }));
  return NodeID3.create({
    tableOfContents: [
      { elementID: CONTENTS, isOrdered: true, elements: named.map(({ id }) => id), tags: {} },
    ],
    chapter: named.map(({ id, title, startMs, endMs }) => ({
      elementID: id,
      startTimeMs: startMs,
      endTimeMs: endMs,
      tags: { title: plain(title) },
    })),
  });
}

/** NUL ends a text in a tag, and UTF-16 without its other half is no text. */
const plain = (text: string): string => text.toWellFormed().replaceAll('\0', '');

const CODES: ReadonlyMap<string, string> = new Map(
  iso6392.flatMap(({ iso6391, iso6392T, iso6392B }) =>
    iso6391 === undefined ? [] : [[iso6391, iso6392T ?? iso6392B] as const],
  ),
);

/** The code of ISO 639-2 for a BCP 47 tag; `und` for a language that has none. */
function languageOf(tag: string): string {
  const [code = ''] = tag.toLowerCase().split('-');
  const known = CODES.get(code) ?? code;
  return known.length === 3 ? known : 'und';
}

const packed = z.tuple([z.string(), z.string(), z.string()]);

/** What a tag says, as one parameter of an address. */
export const packTag = ({ title, author, language }: Tagged): string =>
  Buffer.from(JSON.stringify([title, author, language])).toString('base64url');

/**
 * The tag that an address asks for. Null when the address has none.
 * @param text what `packTag` made, with the signature behind a point, which has been checked
 */
export function tagIn(text: string | undefined): Buffer | null {
  if (text === undefined) return null;
  const [title, author, language] = packed.parse(
    JSON.parse(Buffer.from(text.split('.')[0] ?? '', 'base64url').toString()),
  );
  return tagOf({ title, author, language });
}
