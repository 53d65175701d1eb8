import { GraphQLScalarType, Kind } from 'graphql';
import { GraphQLSafeInt } from 'graphql-scalars';

/** RFC 3339, with an offset. */
const INSTANT =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$/;

/** @throws TypeError for anything but a real instant of the years 1 to 9999 with an offset; digits below a millisecond are cut */
function parseInstant(value: unknown): Date {
  const found = typeof value === 'string' ? INSTANT.exec(value) : null;
  if (found === null) {
    throw new TypeError(
      'An RFC 3339 instant with an offset is expected, for example 2026-11-22T14:00:00Z.',
    );
  }
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found
    .slice(1, 7)
    .map(Number);
  // Date rolls the 30th of February over into March: that is a mistake, not an instant.
  const lastDay = new Date(Date.UTC(year, month, 0)).getUTCDate();
  if (
    month < 1 ||
    month > 12 ||
    day < 1 ||
    day > lastDay ||
    hour > 23 ||
    minute > 59 ||
    second > 59
  ) {
    throw new TypeError('There is no such date and time.');
  }
  const millisecond = (found[7] ?? '.0').slice(0, 4);
  const date = `${found.slice(1, 4).join('-')}T${found.slice(4, 7).join(':')}${millisecond}`;
  const instant = new Date(`${date}${(found[8] ?? 'Z').toUpperCase()}`);
  // Postgres has no year 0, and year 10000 is not written in four digits.
  if (!/^(?!0000)\d{4}-/.test(instant.toISOString()))
    throw new TypeError('Only the years 0001 to 9999, in UTC, can be told.');
  return instant;
}

export const DateTimeScalar = new GraphQLScalarType<Date, string>({
  name: 'DateTime',
  description:
    'An instant in RFC 3339 format, in the years 0001 to 9999. Input must have an offset (`Z` or `±hh:mm`); digits beyond milliseconds are cut off. Output is in UTC with milliseconds, for example `2026-11-22T14:00:00.000Z`.',
  specifiedByURL: 'https://www.rfc-editor.org/rfc/rfc3339',
  serialize: (value) => {
    if (!(value instanceof Date)) throw new TypeError('A Date is expected.');
    return value.toISOString();
  },
  parseValue: parseInstant,
  parseLiteral: (node) => parseInstant(node.kind === Kind.STRING ? node.value : null),
});

/**
 * A total over all accounts. One account holds at most POINTS_MAX, which fits GraphQL's Int, but two of them together
 * may pass 2,147,483,647. Of the arguments, only prices have this type, so that variables of clients keep theirs.
 */
export const SafeIntScalar = new GraphQLScalarType({
  ...GraphQLSafeInt.toConfig(),
  description:
    'A whole number from -(2^53 - 1) to 2^53 - 1, as a JSON number. Totals over all accounts and prices have this type, because they may exceed the 32 bits of `Int`. Read it into a 64-bit integer or a double: both represent it exactly.',
});
