import type { GraphQLError } from 'graphql';

/** Longer than any message without a value, whose names have at most 200 characters. */
const MESSAGE_LENGTH_MAX = 800;

/** @returns the message without the value that follows the mark at `at` */
type Cut = (message: string, at: number) => string;

/** What stands in front of a value that GraphQL repeats, and how it is cut out. */
const VALUE_MARKS: Readonly<Record<string, Cut>> = {
  ' got invalid value ': (message, at) => `${message.slice(0, at)} got an invalid value.`,
  // `Int cannot represent non-integer value: "x"`
  ' cannot represent ': (message, at) => {
    const colon = message.indexOf(': ', at);
    return colon === -1 ? message : `${message.slice(0, colon)}.`;
  },
  // `Value "X" does not exist in "Y" enum. Did you mean the enum value "Z"?`
  'Value "': (message, at) => {
    const tail = message.lastIndexOf('" does not exist in ');
    return tail === -1
      ? message.slice(0, at)
      : `${message.slice(0, at)}The value${message.slice(tail + 1)}`;
  },
  // `Syntax Error: Expected Name, found String "x".`
  'String "': (message, at) =>
    message.slice(0, at + 'String'.length) + message.slice(message.lastIndexOf('"') + 1),
};

/**
 * The message of what GraphQL itself refuses, without the value that it repeats, because that may be a password in the
 * wrong place. Takes time in proportion to the length of the message.
 */
export function refusalMessage({ message, originalError }: GraphQLError): string {
  const found = message.indexOf(', found ');
  if (message.startsWith('Expected value of type "') && found !== -1) {
    // Only the scalars of this server throw errors of their own here, which repeat nothing.
    const reason = originalError instanceof TypeError ? `; ${originalError.message}` : '.';
    return message.slice(0, found) + reason;
  }
  const marks = Object.entries(VALUE_MARKS)
    .map(([mark, cut]) => ({ at: message.indexOf(mark), cut }))
    .filter(({ at }) => at !== -1);
  // A value may have the other marks in it.
  const first = marks.reduce<(typeof marks)[number] | undefined>(
    (least, one) => (least === undefined || one.at < least.at ? one : least),
    undefined,
  );
  return (first?.cut(message, first.at) ?? message).slice(0, MESSAGE_LENGTH_MAX);
}

const SUGGESTION = ' Did you mean ';
const INTROSPECTION = 'GraphQL introspection ';

/**
 * A message as it leaves where introspection is off: GraphQL's suggestions tell names of the schema, and its message on
 * introspection tells a programmer how to switch it on.
 */
export function withoutHint(message: string): string {
  if (message.startsWith(INTROSPECTION)) return 'Introspection is switched off.';
  const suggestion = message.indexOf(SUGGESTION);
  return suggestion === -1 ? message : message.slice(0, suggestion);
}

const START_LENGTH = 400;

/** The start of a message, which names what is wrong. The rest may be a value of any length. */
export const startOfMessage = ({ message }: GraphQLError): string => message.slice(0, START_LENGTH);
