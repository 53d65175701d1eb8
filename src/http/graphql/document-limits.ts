import type { FastifyInstance, FastifyRequest } from 'fastify';
import { GraphQLError, parse, type DocumentNode, type GraphQLSchema } from 'graphql';
import { LRUCache } from 'lru-cache';
import { badUserInput, queryTooComplex } from '../../domain/errors.js';
import { refuseConditionalSubscriptions } from './operations.js';
import { measureDocument, type Measure } from '../../resolvers/measure.js';

/**
 * More than any screen asks for, and less than what would hold others up. Lines, because the place of each
 * error is found by counting them.
 */
const DOCUMENT_BOUNDS: Readonly<Record<keyof Measure | 'tokens' | 'lines', number>> = {
  lines: 2000,
  tokens: 2000,
  depth: 10,
  aliases: 50,
  cost: 10_000,
};

/**
 * Documents that were asked before need not be parsed again; text of at most so many characters in all, for
 * a parsed one takes a hundred times its length.
 */
const REMEMBERED_CHARACTERS = 200_000;

/**
 * Refuses documents that are too deep, too wide or too dear with QUERY_TOO_COMPLEX, before anything looks
 * at who asks and before they are validated, which costs more than all of this.
 */
export function limitDocuments(server: FastifyInstance, schema: GraphQLSchema): void {
  const parsed = new LRUCache<string, DocumentNode>({
    maxSize: REMEMBERED_CHARACTERS,
    sizeCalculation: (_document, text) => text.length + 1,
  });
  const documentOf = (text: string): DocumentNode | null => {
    const known = parsed.get(text);
    if (known !== undefined) return known;
    refuseLines(text);
    const document = parseWithin(text);
    if (document !== null) {
      refuseConditionalSubscriptions(document);
      parsed.set(text, document);
    }
    return document;
  };
  server.addHook('preHandler', (request, _reply, done) => {
    const { query, variables } = operationOf(request);
    const document = typeof query === 'string' ? documentOf(query) : null;
    if (document !== null) refuse(measureDocument(schema, document, variables));
    done();
  });
}

function refuseLines(text: string): void {
  let lines = 1;
  for (const _end of text.matchAll(/\r\n|[\r\n]/g))
    if (++lines > DOCUMENT_BOUNDS.lines) throw queryTooComplex('lines', DOCUMENT_BOUNDS.lines);
}

/** @returns null for what is no GraphQL: that is Apollo's to say */
function parseWithin(text: string): DocumentNode | null {
  try {
    return parse(text, { maxTokens: DOCUMENT_BOUNDS.tokens });
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    if (!/ \d+ tokens\. Parsing aborted/.test(error.message)) return null;
    throw queryTooComplex('tokens', DOCUMENT_BOUNDS.tokens);
  }
}

function refuse(measure: Measure): void {
  for (const what of ['depth', 'aliases', 'cost'] as const)
    if (measure[what] > DOCUMENT_BOUNDS[what])
      throw queryTooComplex(what, DOCUMENT_BOUNDS[what], measure[what]);
}

interface Operation {
  readonly query: unknown;
  readonly variables: Readonly<Record<string, unknown>>;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/** What is asked, whatever it may be: as Apollo Server will read it, to the letter. */
function operationOf({ method, body, url, protocol, hostname }: FastifyRequest): Operation {
  if (method === 'POST') {
    const { query, variables } = isObject(body) ? body : {};
    return { query, variables: isObject(variables) ? variables : {} };
  }
  // Of the address that the request claims to be for.
  const base = `${protocol}://${hostname}/`;
  if (!URL.canParse(url, base)) throw badUserInput('host', 'must be the name of a host');
  const { searchParams } = new URL(url, base);
  return {
    query: searchParams.get('query'),
    variables: variablesOf(searchParams.get('variables')),
  };
}

function variablesOf(variables: string | null): Operation['variables'] {
  if (variables === null) return {};
  try {
    const values: unknown = JSON.parse(variables);
    return isObject(values) ? values : {};
  } catch {
    return {};
  }
}
