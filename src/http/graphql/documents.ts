import type { FastifyInstance, FastifyRequest } from 'fastify';
import { GraphQLError, parse, TokenKind, type DocumentNode, type GraphQLSchema } from 'graphql';
import { LRUCache } from 'lru-cache';
import { badUserInput, queryTooComplex } from '../../domain/errors.js';
import { ANSWER_CHARACTERS_MAX } from '../../resolvers/documents/answer-size.js';
import { measureDocument, type Measure } from '../../resolvers/documents/measure.js';
import { noteCost, releaseBody } from '../admission/admitted-request.js';
import { createLane } from '../admission/lane.js';
import { readInTurn } from '../admission/pacing.js';
import { isConditionalSubscription } from './conditional-subscriptions.js';
import { refuseLargeJson } from '../json/bounds.js';
import { isRecord, readOperation, removeEmptyParts, type AskedOperation } from './operation.js';

/** More than any screen asks for, and less than what would delay other requests. docs/api.md has the same table. */
const DOCUMENT_BOUNDS: Readonly<Record<keyof Measure | 'lines' | 'tokens' | 'nameLength', number>> =
  {
    // GraphQL counts lines to find the place of each error.
    lines: 2000,
    tokens: 2000,
    nameLength: 200,
    depth: 10,
    aliases: 50,
    repetitions: 100,
    cost: 10_000,
    values: 50_000,
    characters: ANSWER_CHARACTERS_MAX,
  };

const MEASURES: readonly (keyof Measure)[] = [
  'depth',
  'aliases',
  'repetitions',
  'cost',
  'values',
  'characters',
];

/** Parsed documents are kept for texts of at most this length in all, because a parsed one takes a hundred times its length. */
const REMEMBERED_CHARACTERS = 200_000;

/** A request for an operation, as the hooks and doors of GraphQL see it. */
export interface ReadRequest {
  /** Null for a body that is no JSON object. */
  readonly asked: AskedOperation | null;
  /** Null when the text is no GraphQL. */
  readonly document: DocumentNode | null;
}

const read = new WeakMap<FastifyRequest, ReadRequest>();

/** What `limitDocuments` has read of a request. @throws when that hook has not run */
export function readRequestOf(request: FastifyRequest): ReadRequest {
  const found = read.get(request);
  if (found === undefined) throw new Error('The operation of this request was not read.');
  return found;
}

/** The same for a long-lived request. It releases the body, because that may be a megabyte. */
export function forgetRequest(request: FastifyRequest): ReadRequest {
  const found = readRequestOf(request);
  read.delete(request);
  request.body = undefined;
  releaseBody(request);
  return found;
}

/**
 * Refuses variables that are too large with BAD_USER_INPUT, and documents that are too deep, too wide or too expensive
 * with QUERY_TOO_COMPLEX. This happens before the token is checked and before the document is validated, which costs
 * more than all of this. Every step takes time in proportion to the length of the body.
 */
export function limitDocuments(server: FastifyInstance, schema: GraphQLSchema): void {
  const parsed = new LRUCache<string, DocumentNode>({
    maxSize: REMEMBERED_CHARACTERS,
    sizeCalculation: (_document, text) => text.length + 1,
  });
  const lane = createLane('when another waits');
  server.addHook('preHandler', async (request) => {
    removeEmptyParts(request);
    const asked = readOperation(request);
    const variables = isRecord(asked?.variables) ? asked.variables : {};
    refuseLargeJson('variables', variables);
    if (isRecord(asked?.extensions)) refuseLargeJson('extensions', asked.extensions);
    const text = typeof asked?.query === 'string' ? asked.query : '';
    const known = parsed.get(text);
    const readDocument = (): DocumentNode | null => {
      const document = known ?? parseWithin(text);
      if (document === null) return null;
      const measure = measureDocument(schema, document, variables);
      refuseLarge(measure);
      noteCost(request, measure.cost);
      return document;
    };
    const document =
      known === undefined ? await readInTurn(lane, request, text, readDocument) : readDocument();
    // Cached only now, so that refused documents do not evict accepted ones.
    if (document !== null) parsed.set(text, document);
    read.set(request, { asked, document });
  });
}

/**
 * @returns null for what is no GraphQL, which Apollo Server reports
 * @throws QUERY_TOO_COMPLEX; BAD_USER_INPUT for a subscription that may be left out
 */
function parseWithin(text: string): DocumentNode | null {
  refuseLines(text);
  let document: DocumentNode;
  try {
    document = parse(text, { maxTokens: DOCUMENT_BOUNDS.tokens });
  } catch (error) {
    if (!(error instanceof GraphQLError)) throw error;
    if (!error.message.endsWith(' tokens. Parsing aborted.')) return null;
    throw queryTooComplex('tokens', DOCUMENT_BOUNDS.tokens);
  }
  refuseLongNames(document);
  if (isConditionalSubscription(document))
    throw badUserInput('query', 'a subscription must not depend on @skip or @include');
  return document;
}

function refuseLines(text: string): void {
  let lines = 1;
  for (const _end of text.matchAll(/\r\n|[\r\n]/g))
    if (++lines > DOCUMENT_BOUNDS.lines) throw queryTooComplex('lines', DOCUMENT_BOUNDS.lines);
}

const NAMES_AND_NUMBERS: ReadonlySet<string> = new Set([
  TokenKind.NAME,
  TokenKind.INT,
  TokenKind.FLOAT,
]);

/** Refuses long names and numbers, because errors repeat them and graphql-js compares them with the names of the schema. */
function refuseLongNames({ loc }: DocumentNode): void {
  const { nameLength } = DOCUMENT_BOUNDS;
  for (let token = loc?.startToken ?? null; token !== null; token = token.next)
    if (token.end - token.start > nameLength && NAMES_AND_NUMBERS.has(token.kind))
      throw queryTooComplex('nameLength', nameLength, token.end - token.start);
}

function refuseLarge(measure: Measure): void {
  for (const what of MEASURES)
    if (measure[what] > DOCUMENT_BOUNDS[what])
      throw queryTooComplex(what, DOCUMENT_BOUNDS[what], measure[what]);
}
