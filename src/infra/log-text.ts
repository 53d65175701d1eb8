/**
 * What moves the cursor of a terminal, starts a new line in some reader of logs, or shows text in another order than
 * it has: control characters, line and paragraph separators, invisible formatting, halves of surrogate pairs.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;
/** The same without what JSON escapes itself, and without the line feed that ends an event. */
const UNSAFE_IN_JSON = /[\u007f-\u009f\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Most lines have no other characters. Searching them for these is much faster. */
const ASCII = /^[\n\x20-\x7e]*$/;

const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** As JSON writes a character that it does not write as it is. */
const escapeCharacter = (character: string): string =>
  SHORT[character] ??
  character
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');

/** On one line, with every unsafe character visible as an escape. */
export const onOneLine = (text: string): string => text.replace(UNSAFE, escapeCharacter);

/** An event in JSON, with the same meaning and without an unsafe character. */
export const escapeJson = (line: string): string =>
  ASCII.test(line) ? line : line.replace(UNSAFE_IN_JSON, escapeCharacter);

/** Lines that an error's stack consists of behind its message. */
const STACK_LINE = /^ {4}at |^caused by: /;

/** A stack keeps its own line ends; those of the messages in it are escaped. */
const stackOf = (stack: string): string =>
  stack
    .split('\n')
    .map(
      (line, index) => (index === 0 ? '' : STACK_LINE.test(line) ? '\n' : '\\n') + onOneLine(line),
    )
    .join('');

/** An event with every key and every value on one line; stacks on as many as they have frames. */
export function escapeEvent(value: unknown, key = ''): unknown {
  if (typeof value === 'string') return key === 'stack' ? stackOf(value) : onOneLine(value);
  if (Array.isArray(value)) return value.map((item) => escapeEvent(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [onOneLine(name), escapeEvent(inner, name)]),
  );
}

/** At most this many causes are examined. */
const CAUSES_MAX = 10;

/** The stack of an error whose messages, and those of its causes, are on one line each. */
export function withMessagesOnOneLine(stack: string, error: unknown): string {
  let safe = stack;
  let current = error;
  for (let depth = 0; depth < CAUSES_MAX && current instanceof Error; depth += 1) {
    const { message } = current;
    // A message could look like a frame: it is escaped where it stands.
    if (message.includes('\n')) safe = safe.replaceAll(message, () => onOneLine(message));
    current = current.cause;
  }
  return safe;
}
