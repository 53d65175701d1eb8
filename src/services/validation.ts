import { z } from 'zod';
import { badUserInput } from '../domain/errors.js';
import { emailFaultOf, spellingOf } from '../domain/inboxes.js';
import { CALLER_KEY } from '../domain/ledger/idempotency.js';
import {
  PRICE_MINOR_MAX,
  sourceOf,
  type CreditSource,
  type LotPrice,
} from '../domain/ledger/lots.js';
import { isCommonPassword } from '../infra/passwords.js';
import {
  canonicalTag,
  countCodePoints,
  foldedWordsOf,
  isCleanText,
  isVisible,
  lineFaultOf,
} from '../domain/text.js';

/**
 * Validates a request.
 * @throws BAD_USER_INPUT for the first invalid field, before anything has happened
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

/**
 * Whether text has more consecutive marks than the 30 of UAX #15 (section 12.1), which no language needs. Such text
 * would take long to normalise.
 */
const isStackedHigh = (value: string): boolean => /\p{M}{31}/u.test(value);

/**
 * The checks run in order and stop at the first failure, so that text that is too long or has too many marks is not
 * processed further.
 */
const writing = (least: number, most: number): z.ZodString => {
  const count = `must be ${String(least)} to ${String(most)} characters`;
  return (
    z
      .string()
      // In UTF-16 units: two for each code point, of which NFC may compose up to three into one.
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

/** Text in NFC without NUL and lone surrogates, of `least` to `most` code points. */
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

/** One line of text that other people read, without characters that would break, reorder or hide it. */
export const line = (least: number, most: number): z.ZodType<string, string> =>
  text(least, most)
    .transform((value) => value.trim())
    .superRefine((value, context) => {
      const fault = lineFaultOf(value) ?? (least === 0 && value === '' ? null : blankOf(value));
      if (fault !== null) context.addIssue({ code: 'custom', message: fault });
    });

function blankOf(value: string): string | null {
  if (value === '') return 'must not be empty';
  return isVisible(value) ? null : 'must show at least one character';
}

/** Several lines of text that other people read. The rules of `line` apply to each. */
export const paragraphs = (least: number, most: number): z.ZodType<string, string> =>
  text(least, most).superRefine((value, context) => {
    const faults = value.split(/\r\n|[\r\n\t]/).map(lineFaultOf);
    const fault = faults.find((one) => one !== null);
    if (fault != null)
      context.addIssue({ code: 'custom', message: fault.replace('be one line', 'be lines') });
  });

/** The distinct folded words of a search. Empty when there is nothing to search for. */
export const searchWords = line(0, 200)
  .nullish()
  .transform((search) => foldedWordsOf(search ?? ''));

/** The name of a person or a device. An empty name becomes null. */
export const optionalName = line(0, 100)
  .nullish()
  .transform((name) => (name === '' ? null : name));

/** An e-mail address in its canonical spelling. */
export const email = z
  .string()
  .transform(spellingOf)
  .superRefine((address, context) => {
    const fault = emailFaultOf(address);
    if (fault !== null) context.addIssue({ code: 'custom', message: fault });
  });

/** In Unicode code points. */
export const PASSWORD_LENGTH_MIN = 8;

/** The rule for all passwords, including those of the configuration. */
export const passwordText = writing(PASSWORD_LENGTH_MIN, 256).refine(
  (value) => {
    const count = countCodePoints(value);
    return count >= PASSWORD_LENGTH_MIN && count <= 256;
  },
  { error: 'must be 8 to 256 characters', abort: true },
);

export const password = passwordText.refine(
  (value) => !isCommonPassword(value),
  'is one of the most common passwords',
);

/** A whole number of points. */
export const points = (least: number, most: number): z.ZodType<number, number> =>
  z
    .int(`must be a whole number`)
    .refine(
      (value) => value >= least && value <= most,
      `must be ${least.toLocaleString('en')} to ${most.toLocaleString('en')}`,
    );

/** The present ISO 4217 codes, from the Unicode data of Node. */
const CURRENCIES: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'));

/** The price of a lot. `addPriceFault` checks the two fields together. */
export const priceFields = {
  priceMinor: z
    .int('must be a whole number of minor units of the currency')
    .refine(
      (value) => value >= 1 && value <= PRICE_MINOR_MAX,
      `must be 1 to ${PRICE_MINOR_MAX.toLocaleString('en')}; leave it out for free points`,
    )
    .nullish()
    .transform((value) => value ?? null),
  currency: z
    .string()
    .refine(
      (code) => CURRENCIES.has(code),
      'must be an ISO 4217 currency code in capital letters, for example EUR',
    )
    .nullish()
    .transform((code) => code ?? null),
};

/**
 * Adds an issue when only one of the two fields is given, or when the source cannot have a price.
 * @param place the path of the object that has the price
 */
export function addPriceFault(
  context: z.RefinementCtx,
  place: readonly (string | number)[],
  { priceMinor, currency }: LotPrice,
  source: CreditSource,
): void {
  const add = (field: keyof LotPrice, message: string): void => {
    context.addIssue({ code: 'custom', path: [...place, field], message });
  };
  const { noPriceBecause } = sourceOf(source);
  if (priceMinor === null && currency === null) return;
  if (currency === null) add('currency', 'is required, because priceMinor is given');
  else if (priceMinor === null) add('priceMinor', 'is required, because currency is given');
  else if (noPriceBecause !== null)
    add('priceMinor', `must be left out for ${source}, because ${noPriceBecause}`);
}

export const idempotencyKey = z
  .string()
  .regex(CALLER_KEY, 'must be 1 to 255 visible ASCII characters');

/** The latest expiry. It is far beyond any real one, and every library can represent it. */
const LAST_EXPIRY = new Date('2200-01-01T00:00:00.000Z');

/** Checks only the upper bound. The ledger's clock decides whether an expiry lies in the future. */
export const expiry = z
  .date()
  .refine((value) => value <= LAST_EXPIRY, 'must be before the year 2200');

/** BCP 47, in its canonical spelling. */
export const language = z
  .string()
  .max(35, 'must be a language tag, for example en or pl')
  .transform((value, context) => {
    const tag = canonicalTag(value);
    if (tag !== null) return tag;
    context.addIssue({ code: 'custom', message: 'must be a language tag, for example en or pl' });
    return z.NEVER;
  });

/** @throws BAD_USER_INPUT when a period ends before it begins */
export function requirePeriod({ from, to }: { from?: Date | null; to?: Date | null }): void {
  if (from != null && to != null && from > to) throw badUserInput('from', 'must not be after to');
}
