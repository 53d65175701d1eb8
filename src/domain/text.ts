import { createHash } from 'node:crypto';

/** Unicode code points, so that an emoji is one and not two. */
export function countCodePoints(text: string): number {
  let count = 0;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    // The second half of a pair belongs to the code point already counted.
    if (unit < 0xdc00 || unit > 0xdfff) count += 1;
  }
  return count;
}

/** Text that the database can keep and a browser can show: no NUL, no half of a surrogate pair. */
export const isCleanText = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

/** Hex SHA-256 of the UTF-8 bytes. */
export const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex');

const LETTERS_WITHOUT_MARKS: Readonly<Record<string, string>> = {
  ł: 'l',
  đ: 'd',
  ø: 'o',
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  þ: 'th',
  ð: 'd',
  ı: 'i',
};

/** A title as it stands in an address: lower-case Latin letters and digits between hyphens; '' when none are left. */
export function slugify(title: string): string {
  return title
    .toLowerCase()
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/[łđøßæœþðı]/g, (letter) => LETTERS_WITHOUT_MARKS[letter] ?? '')
    .replace(/['’]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 100)
    .replace(/^-+|-+$/g, '');
}

/** The pattern of SQL’s LIKE that finds text with these words in it; what is special there stands for itself. */
export const patternOf = (words: string): string => `%${words.replace(/[\\%_]/g, '\\$&')}%`;
