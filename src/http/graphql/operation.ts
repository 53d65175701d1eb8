import type { FastifyRequest } from 'fastify';
import { badUserInput } from '../../domain/errors.js';

/** Where subscriptions are answered as events whatever the client accepts. */
export const STREAM_PATH = '/graphql/stream';
export const EVENT_STREAM = 'text/event-stream';

/** What a request asks for, as Apollo Server reads it. The client may have sent values of any type. */
export interface AskedOperation {
  readonly query: unknown;
  readonly operationName: unknown;
  /** In a GET request that has no JSON here: the text. */
  readonly variables: unknown;
  readonly extensions: unknown;
}

/** What a request asks for once its types are checked. */
export interface Operation {
  readonly query: string;
  readonly operationName: string | null;
  readonly variables: Readonly<Record<string, unknown>> | null;
}

/** Whether a value is an object with named members, so neither null nor a list. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether the client takes server-sent events as the answer. It may take JSON as well. */
export const asksForEvents = ({ headers, url }: FastifyRequest): boolean =>
  url.startsWith(STREAM_PATH) || (headers.accept ?? '').toLowerCase().includes(EVENT_STREAM);

/** What an operation may lack. In an address an empty value is the same as none (GraphQL over HTTP, 5.3). */
const OPTIONAL = ['operationName', 'variables', 'extensions'];

/** Removes an empty name from a body, and empty values from an address, before anything reads them. */
export function removeEmptyParts({ raw, body }: FastifyRequest): void {
  if (isRecord(body)) {
    if (body['operationName'] === '') Object.assign(body, { operationName: null });
    return;
  }
  const { url = '' } = raw;
  const start = url.indexOf('?') + 1;
  const search = new URLSearchParams(start === 0 ? '' : url.slice(start));
  const empty = OPTIONAL.filter((name) => search.get(name) === '');
  if (empty.length === 0) return;
  for (const name of empty) search.delete(name, '');
  raw.url = url.slice(0, start) + search.toString();
}

/** @returns null for a body that is no JSON object */
export function readOperation(request: FastifyRequest): AskedOperation | null {
  if (request.method !== 'POST') return readAddress(request);
  if (!isRecord(request.body)) return null;
  const { query, operationName, variables, extensions } = request.body;
  return { query, operationName, variables, extensions };
}

/** @throws BAD_USER_INPUT when the Host header is not the name of a host */
function readAddress({ url, protocol, hostname }: FastifyRequest): AskedOperation {
  const base = `${protocol}://${hostname}/`;
  if (!URL.canParse(url, base)) throw badUserInput('host', 'must be the name of a host');
  const { searchParams } = new URL(url, base);
  return {
    query: searchParams.get('query') ?? undefined,
    operationName: searchParams.get('operationName'),
    variables: jsonOf(searchParams.get('variables')),
    extensions: jsonOf(searchParams.get('extensions')),
  };
}

/** @returns the text itself when it is no JSON, which is then refused as the wrong type */
function jsonOf(text: string | null): unknown {
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** @throws BAD_USER_INPUT with the part that has the wrong type */
export function checkOperation(asked: AskedOperation | null): Operation {
  if (asked === null) throw badUserInput('body', 'must be one operation, as a JSON object');
  const { query, operationName = null, variables = null, extensions = null } = asked;
  if (typeof query !== 'string') throw badUserInput('query', 'must be a document');
  if (variables !== null && !isRecord(variables))
    throw badUserInput('variables', 'must be an object');
  if (extensions !== null && !isRecord(extensions))
    throw badUserInput('extensions', 'must be an object');
  if (operationName !== null && typeof operationName !== 'string')
    throw badUserInput('operationName', 'must be a name');
  return { query, operationName, variables };
}
