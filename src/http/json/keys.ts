import { badUserInput } from '../../domain/errors.js';
import { FIELD_LENGTH_MAX, JSON_BOUNDS, tooDeep } from './bounds.js';

/** An operation and its variables need less than a hundred. */
const DISTINCT_KEYS_MAX = 1_000;
/** The body and its variables are two levels around those that `refuseLargeJson` counts. */
const DEPTH_MAX = JSON_BOUNDS.depth + 2;

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const SPACE = 0x20;

/**
 * Bounds the different keys of a JSON text, and its depth, before it is parsed, because JSON.parse takes microseconds for
 * each different key: a megabyte of them holds the event loop for more than a hundred milliseconds. Repeated keys cost
 * little.
 * A text that is no JSON passes, because the parser reports it.
 * @throws BAD_USER_INPUT, which names the key that leads to what is too large
 */
export function refuseManyKeys(text: string): void {
  const distinct = new Set<string>();
  const owners: string[] = [];
  let key = 'body';
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      if (end === -1) return;
      if (isBeforeColon(text, end)) {
        key = text.slice(at + 1, end);
        distinct.add(key);
        if (distinct.size > DISTINCT_KEYS_MAX) throw tooManyKeys(owners.at(-1) ?? key);
      }
      at = end;
    } else if (code === OPEN_LIST || code === OPEN_OBJECT) {
      if (owners.length >= DEPTH_MAX) throw tooDeep(key);
      owners.push(key);
    } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) key = owners.pop() ?? key;
  }
}

/** @returns the place of the closing quotation mark; -1 when there is none */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

/** A character is escaped by an odd number of backslashes before it. */
function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text.charCodeAt(first - 1) === BACKSLASH) first -= 1;
  return (at - first) % 2 === 1;
}

function isBeforeColon(text: string, end: number): boolean {
  let next = end + 1;
  while (text.charCodeAt(next) <= SPACE) next += 1;
  return text.charCodeAt(next) === COLON;
}

const tooManyKeys = (field: string): Error =>
  badUserInput(
    field.length > FIELD_LENGTH_MAX ? 'body' : field,
    `must have at most ${DISTINCT_KEYS_MAX.toLocaleString('en')} different keys`,
  );
