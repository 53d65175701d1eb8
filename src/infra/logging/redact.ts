import { pino } from 'pino';
import { propertyOf } from '../../domain/objects.js';
import { FIELDS } from './fields.js';
import { redactText } from './redact-text.js';

const CENSORED = '[redacted]';
/** A value is secret when its key contains one of these, whatever its case and separators. */
const SECRET_KEY =
  /password|passwd|passphrase|pwd|pass$|secret|token|cookie|authorization|apikey|privatekey|privatejwk|accesskey|credential|signature|email/;
/** Numbers and flags under such a key are counts and settings. */
const isHarmless = (value: unknown): boolean =>
  value == null || typeof value === 'number' || typeof value === 'boolean';
/**
 * A statement is signed, and made to be published: an auditor copies it from the log. The pattern of a route is a text
 * of the code. Only a field of the line itself is meant.
 */
const PUBLIC_FIELDS: ReadonlySet<string> = new Set(['statement', 'route']);
/** What is secret in a JSON Web Key. */
const SECRET_IN_JWK: ReadonlySet<string> = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']);
/** Texts of errors, also of those that are plain objects. They repeat values. */
const MESSAGES: ReadonlySet<string> = new Set(['message', 'originalMessage', 'stack']);

const DEPTH_MAX = 10;
const SEPARATORS = /[-_.\s]/g;

const isSecretKey = (key: string): boolean =>
  SECRET_KEY.test(key.slice(0, 200).toLowerCase().replace(SEPARATORS, ''));

/** Names of fields that are known to be harmless, so that they are not checked for each line. */
const HARMLESS_FIELDS: ReadonlySet<string> = new Set(
  ['event', ...Object.keys(FIELDS), 'viewerId', 'jobId'].filter(
    (key) => !isSecretKey(key) && !MESSAGES.has(key) && redactText(key) === key,
  ),
);

/**
 * A copy of what is logged, without secrets at any depth: by the names of keys, and by the form of texts. Errors become
 * plain objects, with the messages of their causes.
 */
export function redact(
  line: object,
  stackOf: (stack: string, error: Error) => string,
): Record<string, unknown> {
  const walk: Walk = { depth: 0, above: [], stackOf };
  const safe: Record<string, unknown> = {};
  const entries: [string, unknown][] = Object.entries(line);
  for (const [key, value] of entries) {
    if (!HARMLESS_FIELDS.has(key)) return redactEntries(line, walk);
    safe[key] =
      PUBLIC_FIELDS.has(key) && typeof value === 'string' ? value : redactValue(value, walk);
  }
  return safe;
}

/** Messages that were seen. They are texts of the code, so that there are few; some have a value in them. */
const MESSAGES_KEPT = 500;
const redactedMessages = new Map<string, string>();

/** The message of a line, which says in words what its event is. */
export function redactMessageOfLine(message: string): string {
  const known = redactedMessages.get(message);
  if (known !== undefined) return known;
  const safe = redactText(message);
  // What is redacted is not kept in memory.
  if (safe === message && redactedMessages.size < MESSAGES_KEPT)
    redactedMessages.set(message, safe);
  return safe;
}

interface Walk {
  readonly depth: number;
  /** The objects that the present one is in. */
  readonly above: readonly object[];
  readonly stackOf: (stack: string, error: Error) => string;
}

function redactEntries(object: object, walk: Walk): Record<string, unknown> {
  const isJwk = 'kty' in object;
  return Object.fromEntries(
    Object.entries(object).map(([key, value]: [string, unknown]) => [
      redactText(key),
      isJwk && SECRET_IN_JWK.has(key) ? CENSORED : redactEntry(key, value, walk),
    ]),
  );
}

function redactEntry(key: string, value: unknown, walk: Walk): unknown {
  if (isSecretKey(key) && !isHarmless(value)) return CENSORED;
  if (typeof value !== 'string') return redactValue(value, walk);
  if (walk.depth === 0 && PUBLIC_FIELDS.has(key)) return value;
  return MESSAGES.has(key) ? redactMessage(value) : redactText(value);
}

function redactValue(value: unknown, walk: Walk): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (walk.depth === DEPTH_MAX || walk.above.includes(value)) return '[…]';
  const inner = { ...walk, depth: walk.depth + 1, above: [...walk.above, value] };
  if (value instanceof Error) return redactError(value, inner);
  if (Array.isArray(value)) return redactList(value, inner);
  if (ArrayBuffer.isView(value)) return '[bytes]';
  if (value instanceof Map || value instanceof Headers)
    return redactEntries(Object.fromEntries<unknown>(value), inner);
  if (value instanceof Set) return redactList(Array.from<unknown>(value), inner);
  const toJSON = propertyOf(value, 'toJSON');
  if (typeof toJSON === 'function') return redactValue(Reflect.apply(toJSON, value, []), inner);
  return redactEntries(value, inner);
}

/** Names of headers that can have secrets. Single words are in other lists too, for example as names of fields. */
const HEADER = /^(?:authorization|cookie|[a-z\d]+(?:-[a-z\d]+)+)$/i;

/** Raw headers are a list of names and values by turns. Entries are lists of a name and a value. */
const redactList = (list: readonly unknown[], walk: Walk): unknown[] =>
  list.map((item, index) => {
    const name: unknown = list[index - 1];
    const isSecret = typeof name === 'string' && HEADER.test(name) && isSecretKey(name);
    if (isSecret && typeof item === 'string') return CENSORED;
    return isSecretPair(item) ? [redactText(item[0]), CENSORED] : redactValue(item, walk);
  });

const isSecretPair = (item: unknown): item is [string, unknown] =>
  Array.isArray(item) &&
  item.length === 2 &&
  typeof item[0] === 'string' &&
  isSecretKey(item[0]) &&
  !isHarmless(item[1]);

/** The fields of an error of Postgres that repeat rows, and the client that a pool adds, with the key of its session. */
const WITHOUT = ['client', 'detail', 'where', 'internalQuery', 'parameters'];

function redactError(error: Error, walk: Walk): object {
  const safe = copyError(error, walk);
  // pino adds the messages and stacks of the causes to those of the error.
  const { stack, ...serialized } = pino.stdSerializers.err(safe);
  return { ...serialized, stack: walk.stackOf(stack, safe) };
}

/** The same error and causes with messages that repeat nothing secret. */
function copyError(error: Error, walk: Walk): Error {
  const copy = Object.create(Reflect.getPrototypeOf(error)) as Error;
  for (const [key, value] of Object.entries(error))
    if (!WITHOUT.includes(key) && key !== 'cause' && key !== 'stack')
      define(copy, redactText(key), redactEntry(key, value, walk), true);
  const message = redactMessage(error.message);
  define(copy, 'message', message);
  const stack = typeof error.stack === 'string' ? error.stack : '';
  const safe = error.message === '' ? stack : stack.replaceAll(error.message, () => message);
  define(copy, 'stack', redactText(safe));
  const { cause } = error;
  if (cause !== undefined) define(copy, 'cause', copyCause(cause, walk));
  return copy;
}

function copyCause(cause: unknown, walk: Walk): unknown {
  // pino would call it, and print what it returns.
  if (typeof cause === 'function') return undefined;
  if (!(cause instanceof Error)) return redactValue(cause, walk);
  if (walk.depth >= DEPTH_MAX || walk.above.includes(cause)) return undefined;
  return copyError(cause, { ...walk, depth: walk.depth + 1, above: [...walk.above, cause] });
}

function define(copy: Error, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(copy, key, { value, enumerable, configurable: true, writable: true });
}

const INVOCATION = ' invocation:';
/** How Postgres, Prisma and JSON.parse repeat a value. It can have line breaks and quotation marks. */
const QUOTED = /[:,] (?:\.\.\.)?"[^]*/;
const VALUE = `: "${CENSORED}"`;

/**
 * The message of an error without the values that it repeats. Prisma prints the arguments of a malformed call before the
 * last paragraph, which says what is wrong with them.
 */
export function redactMessage(message: string): string {
  const at = message.indexOf(INVOCATION);
  if (at === -1) return redactText(message.replace(QUOTED, VALUE));
  const end = at + INVOCATION.length;
  const said = message.slice(end).trim();
  const last = said.startsWith('{') ? said.slice(Math.max(0, said.lastIndexOf('\n\n'))) : said;
  return redactText(`${message.slice(0, end)} ${last.trim()}`.replace(QUOTED, VALUE));
}
