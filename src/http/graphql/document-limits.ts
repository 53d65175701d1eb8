import type { FastifyInstance, FastifyRequest } from 'fastify';
import { GraphQLError, parse, type DocumentNode, type GraphQLSchema } from 'graphql';
import { LRUCache } from 'lru-cache';
import { queryTooComplex } from '../../domain/errors.js';
import { measureDocument, type Measure } from '../../resolvers/measure.js';

/** More than any screen asks for, and less than what would hold others up. */
const LIMITS: Readonly<Record<keyof Measure, number>> & { readonly tokens: number } = {
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
    const document = parseWithin(text);
    if (document !== null) parsed.set(text, document);
    return document;
  };
  server.addHook('preHandler', (request, _reply, done) => {
    const { query, variables } = operationOf(request);
    const document = typeof query === 'string' ? documentOf(query) : null;
    if (document !== null) refuse(measureDocument(schema, document, variables));
    done();
  });
}

/** @returns null for what is no GraphQL: that is Apollo's to say */
function parseWithin(text: string): DocumentNode | null {
  try {
    return parse(text, { maxTokens: LIMITS.tokens });
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    if (!/ \d+ tokens\. Parsing aborted/.test(error.message)) return null;
    throw queryTooComplex('tokens', LIMITS.tokens);
  }
}

function refuse(measure: Measure): void {
  for (const what of ['depth', 'aliases', 'cost'] as const)
    if (measure[what] > LIMITS[what]) throw queryTooComplex(what, LIMITS[what], measure[what]);
}

interface Operation {
  readonly query: unknown;
  readonly variables: Readonly<Record<string, unknown>>;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;

/** What is asked, whatever it may be. */
function operationOf(request: FastifyRequest): Operation {
  const sent = request.method === 'GET' ? request.query : request.body;
  const { query, variables } = isRecord(sent) ? sent : {};
  return { query, variables: variablesOf(variables) };
}

function variablesOf(variables: unknown): Operation['variables'] {
  if (isRecord(variables)) return variables;
  if (typeof variables !== 'string') return {};
  try {
    const values: unknown = JSON.parse(variables);
    return isRecord(values) ? values : {};
  } catch {
    return {};
  }
}
