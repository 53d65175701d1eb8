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
import { refusalMessage, startOfMessage } from './refusal-message.js';

/** What went wrong on our side, for the log alone. */
type ReportUnexpected = (requestId: string, error: unknown) => void;

/**
 * Formats all errors of GraphQL. A refusal of ours stays as it is, and a refusal of GraphQL itself becomes BAD_USER_INPUT.
 * Anything else becomes INTERNAL with the request's id, and its cause goes to the log alone.
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

const isRefusedDocument = ({ extensions }: GraphQLFormattedError): boolean =>
  REFUSED_BY_GRAPHQL.has(String(extensions?.['code']));

function refusedDocument(
  formatted: GraphQLFormattedError,
  error: GraphQLError,
): GraphQLFormattedError {
  return {
    message: refusalMessage(error),
    ...(formatted.locations ? { locations: formatted.locations } : {}),
    ...(formatted.path ? { path: formatted.path } : {}),
    extensions: {
      code: 'BAD_USER_INPUT',
      field: partOf(formatted, error) ?? fieldOf(error) ?? 'query',
    },
  };
}

/** The part of a request that Apollo itself refused, which its message names; undefined when it was the document. */
function partOf({ extensions }: GraphQLFormattedError, error: GraphQLError): string | undefined {
  if (extensions?.['code'] === 'OPERATION_RESOLUTION_FAILURE') return 'operationName';
  if (extensions?.['code'] !== 'BAD_REQUEST') return undefined;
  const message = startOfMessage(error);
  if (message.startsWith('POST body')) return 'body';
  return /^(?:`|The '?)(\w+)/.exec(message)?.[1];
}

/** The argument or input field that GraphQL itself refused; undefined when it was none. */
function fieldOf(error: GraphQLError): string | undefined {
  const message = startOfMessage(error);
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
