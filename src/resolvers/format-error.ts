import { unwrapResolverError } from '@apollo/server/errors';
import {
  GraphQLError,
  Kind,
  parse,
  visit,
  type DocumentNode,
  type GraphQLFormattedError,
  type Source,
} from 'graphql';
import { DomainError, internal } from '../domain/errors.js';

/** What went wrong on our side, for the log alone. */
type ReportUnexpected = (requestId: string, error: unknown) => void;

/**
 * The only door for errors: a refusal leaves as it is, what GraphQL refuses leaves as BAD_USER_INPUT,
 * and anything else is INTERNAL with the request's id while its cause stays in the log.
 */
export function formatError(
  formatted: GraphQLFormattedError,
  error: unknown,
  requestId: string,
  report: ReportUnexpected,
): GraphQLFormattedError {
  const cause = unwrapResolverError(error);
  const refusal = domainErrorOf(cause);
  if (refusal !== null && refusal.code !== 'INTERNAL') return say(formatted, refusal);
  if (refusal === null && error instanceof GraphQLError && isRefusedDocument(formatted)) {
    return refusedDocument(formatted, error);
  }
  report(requestId, cause);
  return say(formatted, internal(requestId));
}

function domainErrorOf(error: unknown): DomainError | null {
  if (error instanceof DomainError) return error;
  const original = error instanceof GraphQLError ? error.originalError : undefined;
  return original instanceof DomainError ? original : null;
}

function say(formatted: GraphQLFormattedError, refusal: DomainError): GraphQLFormattedError {
  return {
    message: refusal.message,
    ...(formatted.locations ? { locations: formatted.locations } : {}),
    ...(formatted.path ? { path: formatted.path } : {}),
    extensions: { code: refusal.code, ...refusal.details },
  };
}

const REFUSED_BY_GRAPHQL = new Set([
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'BAD_USER_INPUT',
  'BAD_REQUEST',
  'OPERATION_RESOLUTION_FAILURE',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_NOT_SUPPORTED',
]);

/** That there are more mistakes in the variables than GraphQL tells has no code of its own. */
const isRefusedDocument = ({ extensions, message }: GraphQLFormattedError): boolean =>
  REFUSED_BY_GRAPHQL.has(String(extensions?.['code'])) ||
  message.startsWith('Too many errors processing variables');

function refusedDocument(
  formatted: GraphQLFormattedError,
  error: GraphQLError,
): GraphQLFormattedError {
  return {
    message: withoutValues(formatted.message),
    ...(formatted.locations ? { locations: formatted.locations } : {}),
    ...(formatted.path ? { path: formatted.path } : {}),
    extensions: { code: 'BAD_USER_INPUT', field: fieldOf(error) ?? 'query' },
  };
}

/** GraphQL repeats what it refuses, which may be a password in the wrong place. */
const withoutValues = (message: string): string =>
  message
    .replace(/ got invalid value [^]*?(?=(?: at "[^"]*")?; )/, ' got an invalid value')
    .replace(/(cannot represent [\w -]+?): [^]*$/, '$1.')
    .replace(/(Expected value of type "[^"]*"), found [^]*?(?=; [A-Z]|\.$)/, '$1')
    .replace(/Value "[^]*" does not exist/, 'The value does not exist')
    .replace(/((?:Block)?String) "[^]*"/, '$1');

/**
 * As it is said where introspection is off: of what is refused in variables GraphQL suggests what was meant, which
 * tells of the schema, and of introspection how a programmer could switch it on.
 */
export const withoutHints = (error: GraphQLFormattedError): GraphQLFormattedError => ({
  ...error,
  message: error.message
    .replace(/ Did you mean [^]*\?$/, '')
    .replace(/^GraphQL introspection [^]*$/, 'Introspection is switched off.'),
});

/** The argument or input field that GraphQL itself refused; undefined when it was none. */
function fieldOf(error: GraphQLError): string | undefined {
  const { message } = error;
  // It names what is missing or unknown.
  const named =
    /(?:argument|Field) "(?:\w+\.)*(\w+)" of (?:required )?type/i.exec(message) ??
    /(?:Field|Unknown argument) "(\w+)" (?:is not defined by type|on field)/.exec(message);
  if (named !== null) return named[1];
  const variable = /^Variable "\$(\w+)"/.exec(message)?.[1];
  const path = / at "([^"]+)"/.exec(message)?.[1];
  if (variable !== undefined && path?.includes('.') === true) return lastName(path);
  return innermostInput(error, variable) ?? variable;
}

const lastName = (path: string): string | undefined =>
  path
    .split('.')
    .map((part) => part.replace(/\[\d+\]/g, ''))
    .at(-1);

const parsed = new WeakMap<Source, DocumentNode>();

/** One document may have many errors. */
function documentOf(source: Source): DocumentNode {
  const document = parsed.get(source) ?? parse(source.body);
  parsed.set(source, document);
  return document;
}

/** The argument or input field around the place of an error, or the one that a variable is given to. */
function innermostInput(error: GraphQLError, variable: string | undefined): string | undefined {
  const start = error.nodes?.[0]?.loc?.start;
  if (error.source === undefined || start === undefined) return undefined;
  let innermost: string | undefined;
  visit(documentOf(error.source), {
    enter: (node) => {
      if (node.kind !== Kind.ARGUMENT && node.kind !== Kind.OBJECT_FIELD) return;
      const holdsVariable = node.value.kind === Kind.VARIABLE && node.value.name.value === variable;
      const isAround = node.loc !== undefined && node.loc.start <= start && start <= node.loc.end;
      if (holdsVariable || isAround) innermost = node.name.value;
    },
  });
  return innermost;
}
