import { pino } from 'pino';
import { redactText } from './redact-text.js';

const CENSORED = '[redacted]';
/** A value is secret when its key contains one of these, whatever its case and separators. */
const SECRET_KEY =
  /password|passwd|secret|token|cookie|authorization|apikey|privatekey|privatejwk|accesskey|credential|signature|email/;
/** Numbers and flags under such a key are counts and settings. */
const isHarmless = (value: unknown): boolean =>
  value == null || typeof value === 'number' || typeof value === 'boolean';
/** Signed, and made to be published: an auditor copies it from the log. */
const PUBLIC_KEYS: ReadonlySet<string> = new Set(['statement']);

const DEPTH_MAX = 10;
const SEPARATORS = /[-_.\s]/g;

const isSecretKey = (key: string): boolean =>
  SECRET_KEY.test(key.slice(0, 200).toLowerCase().replace(SEPARATORS, ''));

/**
 * A copy of what is logged, without secrets at any depth: by the names of keys, and by the form of texts. Errors become
 * plain objects, with the messages of their causes.
 */
export function redact(
  line: object,
  stackOf: (stack: string, error: Error) => string,
): Record<string, unknown> {
  return redactEntries(line, { depth: 0, above: [], stackOf });
}

interface Walk {
  readonly depth: number;
  /** The objects that the present one is in. */
  readonly above: readonly object[];
  readonly stackOf: (stack: string, error: Error) => string;
}

const redactEntries = (object: object, walk: Walk): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(object).map(([key, value]) => [key, redactEntry(key, value as unknown, walk)]),
  );

function redactEntry(key: string, value: unknown, walk: Walk): unknown {
  if (isSecretKey(key) && !isHarmless(value)) return CENSORED;
  return PUBLIC_KEYS.has(key) && typeof value === 'string' ? value : redactValue(value, walk);
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
    return redactEntries(Object.fromEntries(value as Iterable<[string, unknown]>), inner);
  if (value instanceof Set) return redactList([...(value as Set<unknown>)], inner);
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function')
    return redactValue((toJSON as () => unknown).call(value), inner);
  return redactEntries(value, inner);
}

const SECRET_HEADERS: readonly unknown[] = [
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-api-key',
  'xi-api-key',
];

/** Raw headers are a list of names and values by turns. */
const redactList = (list: readonly unknown[], walk: Walk): unknown[] =>
  list.map((item, index) => {
    const name: unknown = list[index - 1];
    const isSecret = typeof name === 'string' && SECRET_HEADERS.includes(name.toLowerCase());
    return isSecret && typeof item === 'string' ? CENSORED : redactValue(item, walk);
  });

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
  const copy = Object.create(Object.getPrototypeOf(error) as object) as Error;
  for (const [key, value] of Object.entries(error))
    if (!WITHOUT.includes(key) && key !== 'cause' && key !== 'stack')
      define(copy, key, redactEntry(key, value, walk), true);
  const message = redactMessage(error);
  define(copy, 'message', message);
  const stack = typeof error.stack === 'string' ? error.stack : '';
  const safe = error.message === '' ? stack : stack.replaceAll(error.message, () => message);
  define(copy, 'stack', redactText(safe));
  const { cause } = error;
  if (cause !== undefined) define(copy, 'cause', copyCause(cause, walk));
  return copy;
}

function copyCause(cause: unknown, walk: Walk): unknown {
  if (!(cause instanceof Error)) return redactValue(cause, walk);
  if (walk.depth >= DEPTH_MAX || walk.above.includes(cause)) return undefined;
  return copyError(cause, { ...walk, depth: walk.depth + 1, above: [...walk.above, cause] });
}

function define(copy: Error, key: string, value: unknown, enumerable = false): void {
  Object.defineProperty(copy, key, { value, enumerable, configurable: true, writable: true });
}

const INVOCATION = ' invocation:';
/** How Postgres, Prisma and JSON.parse repeat a value. */
const QUOTED = /[:,] "[^\n]*/g;
const VALUE = `: "${CENSORED}"`;

/**
 * The message of an error without the values that it repeats. Prisma prints the arguments of the call before the last
 * paragraph, which says what is wrong with them.
 */
function redactMessage({ name, message }: Error): string {
  const at = name.startsWith('PrismaClient') ? message.indexOf(INVOCATION) : -1;
  if (at === -1) return redactText(message.replace(QUOTED, VALUE));
  const last = message.slice(Math.max(at + INVOCATION.length, message.lastIndexOf('\n\n'))).trim();
  return redactText(`${message.slice(0, at)}${INVOCATION} ${last}`.replace(QUOTED, VALUE));
}
