import { z } from 'zod';
import { badUserInput } from '../domain/errors.js';
import { CALLER_KEY } from '../domain/ledger/idempotency.js';
import { isCommonPassword } from '../infra/passwords.js';
import { countCodePoints, isCleanText } from '../domain/text.js';

/**
 * Checks what a caller sent.
 * @throws BAD_USER_INPUT with the first field that is wrong, and nothing has happened yet
 */
export function parseRequest<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.filter((part) => typeof part === 'string').at(-1) ?? 'input';
  const place = issue?.path.find((part) => typeof part === 'number');
  const where = place === undefined ? '' : ` (the one at ${String(place)}, counted from 0)`;
  throw badUserInput(field, (issue?.message ?? 'is not valid') + where);
}

/** What would take long to normalise: more than the 30 that UAX #15 (12.1) takes for the most in any language. */
const isStackedHigh = (value: string): boolean => /\p{M}{31}/u.test(value);

/** One at a time: what is too long, or stacked too high, is not looked at any further. */
const writing = (least: number, most: number): z.ZodString => {
  const count = `must be ${String(least)} to ${String(most)} characters`;
  return (
    z
      .string()
      // As UTF-16, and composed of up to three.
      .refine(({ length }) => length <= 6 * most, { error: count, abort: true })
      .refine(isCleanText, {
        error: 'must be text without NUL and unpaired surrogates',
        abort: true,
      })
      .refine((value) => !isStackedHigh(value), {
        error: 'must have at most 30 marks on a letter',
        abort: true,
      })
  );
};

/** Text without NUL and lone surrogates, in NFC, `least` to `most` code points. */
export const text = (least: number, most: number): z.ZodType<string, string> =>
  writing(least, most)
    .transform((value) => value.normalize('NFC'))
    .refine(
      (value) => {
        const count = countCodePoints(value);
        return count >= least && count <= most;
      },
      `must be ${String(least)} to ${String(most)} characters`,
    );

/** Text of one line, without control characters, with something to read in it. */
export const line = (least: number, most: number): z.ZodType<string, string> =>
  text(least, most)
    .transform((value) => value.trim())
    .refine((value) => !/\p{Cc}/u.test(value), 'must be one line without control characters')
    .refine((value) => least === 0 || value.length > 0, 'must not be empty');

/** What a person or a device is called. An empty one is none. */
export const optionalName = line(0, 100)
  .nullish()
  .transform((name) => (name === '' ? null : name));

export const email = z
  .string()
  .trim()
  .max(254, 'must be at most 254 characters')
  .toLowerCase()
  .pipe(z.email('must be an e-mail address'))
  // Nothing is ever delivered there (RFC 2606), and it is what stands in the place of who has left.
  .refine((value) => !value.endsWith('.invalid'), 'must be an address that mail can reach');

export const password = writing(8, 256)
  .refine(
    (value) => {
      const count = countCodePoints(value);
      return count >= 8 && count <= 256;
    },
    { error: 'must be 8 to 256 characters', abort: true },
  )
  .refine((value) => !isCommonPassword(value), 'is one of the most common passwords');

/** A whole number of points. */
export const points = (least: number, most: number): z.ZodType<number, number> =>
  z
    .int(`must be a whole number`)
    .refine(
      (value) => value >= least && value <= most,
      `must be ${least.toLocaleString('en')} to ${most.toLocaleString('en')}`,
    );

export const idempotencyKey = z
  .string()
  .regex(CALLER_KEY, 'must be 1 to 255 visible ASCII characters');

/** Far enough for any promise, near enough for every library to count with. */
const LAST_EXPIRY = new Date('2200-01-01T00:00:00.000Z');

/** That it lies in the future is judged by the ledger's clock. */
export const expiry = z
  .date()
  .refine((value) => value <= LAST_EXPIRY, 'must be before the year 2200');

/** BCP 47, in its canonical spelling. */
export const language = z
  .string()
  .max(35, 'must be a language tag, for example en or pl')
  .transform((value, context) => {
    try {
      return new Intl.Locale(value).toString();
    } catch {
      context.addIssue({ code: 'custom', message: 'must be a language tag, for example en or pl' });
      return z.NEVER;
    }
  });
