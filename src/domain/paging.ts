import { z } from 'zod';
import { badUserInput } from './errors.js';

/** The arguments of a Relay connection. */
export interface PageArguments {
  readonly first?: number | null;
  readonly after?: string | null;
  readonly last?: number | null;
  readonly before?: string | null;
}

const PAGE_SIZE_DEFAULT = 20;
const PAGE_SIZE_MAX = 100;

/** The rows to read: `limit` rows and one more, strictly between the keys, from one end or the other. */
export interface Window<Key> {
  readonly limit: number;
  readonly backward: boolean;
  readonly after: Key | null;
  readonly before: Key | null;
}

export interface Page<Row> {
  readonly edges: readonly { readonly cursor: string; readonly node: Row }[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  /** Counts the whole list. Absent for lists that are not counted. */
  readonly count?: () => Promise<number>;
}

/** Encodes the sort key of a row as an opaque cursor, and decodes it. */
interface Cursors<Key> {
  encode(key: Key): string;
  /** @throws BAD_USER_INPUT for a cursor of another connection */
  decode(field: string, cursor: string): Key;
}

/** @param kind the name of the connection, so that cursors of other connections are refused */
export function cursorsOf<Key>(kind: string, key: z.ZodType<Key>): Cursors<Key> {
  const whole = z.tuple([z.literal(kind), key]);
  return {
    encode: (value) => Buffer.from(JSON.stringify([kind, value])).toString('base64url'),
    decode: (field, cursor) => {
      const parsed = whole.safeParse(parseJson(Buffer.from(cursor, 'base64url').toString()));
      if (!parsed.success) throw badUserInput(field, 'is not a cursor of this list');
      return parsed.data[1];
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws BAD_USER_INPUT for sizes out of range, for both sizes at once, and for cursors of another connection */
export function windowOf<Key>(args: PageArguments, cursors: Cursors<Key>): Window<Key> {
  const { first = null, last = null, after = null, before = null } = args;
  checkSize('first', first);
  checkSize('last', last);
  if (first !== null && last !== null) throw badUserInput('last', 'cannot be combined with first');
  return {
    limit: first ?? last ?? PAGE_SIZE_DEFAULT,
    backward: last !== null,
    after: after === null ? null : cursors.decode('after', after),
    before: before === null ? null : cursors.decode('before', before),
  };
}

function checkSize(field: string, size: number | null): void {
  if (size !== null && (size < 1 || size > PAGE_SIZE_MAX)) {
    throw badUserInput(field, `must be 1 to ${String(PAGE_SIZE_MAX)}`);
  }
}

/**
 * Makes a page of the rows that were read.
 * @param rows at most `limit + 1`, from the end where the window begins
 */
export function pageOf<Row, Key>(
  rows: readonly Row[],
  window: Window<Key>,
  cursors: Cursors<Key>,
  keyOf: (row: Row) => Key,
): Page<Row> {
  const more = rows.length > window.limit;
  const kept = rows.slice(0, window.limit);
  if (window.backward) kept.reverse();
  // The cursor of a row lies on its far side, so there is a page there.
  return {
    edges: kept.map((node) => ({ cursor: cursors.encode(keyOf(node)), node })),
    hasNextPage: window.backward ? window.before !== null : more,
    hasPreviousPage: window.backward ? more : window.after !== null,
  };
}
