import { setTimeout as sleep } from 'node:timers/promises';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { getOperationAST, OperationTypeNode, type GraphQLSchema } from 'graphql';
import { createHandler, type Handler, type OperationResult, type Response } from 'graphql-sse';
import type { App } from '../../services/app.js';
import type { RequestFacts } from '../../resolvers/context.js';
import { endTurns } from '../admission/admitted-request.js';
import { endSpanEarly } from '../observability/requests.js';
import { holdConnection } from '../requests.js';
import { waitOf } from './answers.js';
import { countSubscription } from '../counters/operations.js';
import { forgetRequest, readRequestOf, type ReadRequest } from './documents.js';
import { asksForEvents, checkOperation, EVENT_STREAM, STREAM_PATH } from './operation.js';
import { openSubscription, type Opened, type Refusal } from './subscribe.js';

/** The headers that the library requires: those of a POST request that accepts events. */
const HANDLER_HEADERS: Readonly<Record<string, string>> = {
  accept: EVENT_STREAM,
  'content-type': 'application/json',
};
/** A client that does not take an event within this time is disconnected. */
const STALLED_MS = 10_000;

/**
 * Answers subscriptions as server-sent events, one a connection (the "distinct connections mode" of the GraphQL
 * over SSE protocol): at /graphql for clients that accept text/event-stream, and at /graphql/stream.
 */
export function serveEventStreams(
  server: FastifyInstance,
  app: App,
  schema: GraphQLSchema,
  factsOf: (
    request: FastifyRequest,
    reply: FastifyReply,
    gone: AbortSignal,
  ) => Promise<RequestFacts>,
): void {
  const handler = createHandler<FastifyRequest, Opened>({
    // Null switches off the library's single connection mode, which needs all requests of a client in one process.
    authenticate: () => null,
    // The library would read the request in its own way, but the subscription was opened already.
    onSubscribe: ({ context }) =>
      'status' in context ? refusalOf(context) : (context as OperationResult),
  });
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const read = forgetRequest(request);
    checkOperation(read.asked);
    const gone = holdConnection(request, reply);
    const opened =
      gone === null
        ? null
        : await openSubscription(app, schema, await factsOf(request, reply, gone), read);
    endTurns(request);
    if (opened !== null)
      countSubscription(app, nameOf(read), 'errors' in opened ? opened.errors : []);
    if (opened !== null) await stream(app, handler, request, reply, opened);
  };
  server.addHook('preHandler', async (request, reply) => {
    if (request.method !== 'OPTIONS' && wantsEvents(request)) await answer(request, reply);
  });
  server.route({ method: ['GET', 'POST'], url: STREAM_PATH, handler: answer });
}

/** The name of the operation that was asked for. */
const nameOf = ({ asked, document }: ReadRequest): string | null => {
  const name = typeof asked?.operationName === 'string' ? asked.operationName : null;
  if (document === null) return name;
  return getOperationAST(document, name)?.name?.value ?? null;
};

/** Some clients accept events beside JSON for every operation: then the kind of the operation decides. */
function wantsEvents(request: FastifyRequest): boolean {
  if (!asksForEvents(request)) return false;
  const accept = request.headers.accept?.toLowerCase() ?? '';
  return !(accept.includes('json') || accept.includes('*/*')) || isSubscription(request);
}

/** Whether a request asks for a subscription, whatever else is wrong with it. */
function isSubscription(request: FastifyRequest): boolean {
  const { asked, document } = readRequestOf(request);
  if (document === null) return false;
  const name = asked?.operationName;
  const operation = getOperationAST(document, typeof name === 'string' ? name : null);
  return operation?.operation === OperationTypeNode.SUBSCRIPTION;
}

/** The refusal as an event stream, with the status of its errors. */
const refusalOf = ({ errors, status }: Refusal): Response => [
  `event: next\ndata: ${JSON.stringify({ data: null, errors })}\n\nevent: complete\ndata:\n\n`,
  {
    status,
    statusText: '',
    headers: { 'content-type': `${EVENT_STREAM}; charset=utf-8`, ...waitOf(errors) },
  },
];

async function stream(
  app: App,
  handler: Handler<FastifyRequest, Opened>,
  request: FastifyRequest,
  reply: FastifyReply,
  opened: Opened,
): Promise<void> {
  const [body, init] = await handler({
    method: 'POST',
    url: STREAM_PATH,
    headers: { get: (name) => HANDLER_HEADERS[name] ?? null },
    body: { query: 'subscription' },
    raw: request,
    context: opened,
  });
  const { raw } = reply;
  reply.hijack();
  endSpanEarly(request, init.status);
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(init.status, {
    ...init.headers,
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  if (body === null || typeof body === 'string') raw.end(body ?? '');
  else await writeAll(app, reply, request.raw.socket, body);
}

/** Writes each event after the client has taken the one before (backpressure). */
async function writeAll(
  app: App,
  { raw }: FastifyReply,
  socket: Socket,
  events: AsyncGenerator<string>,
): Promise<void> {
  const end = (): void => void events.return(undefined);
  // A response that waits behind another one on its connection emits no event when the connection closes.
  socket.once('close', end);
  try {
    for await (const event of events) {
      if (await isTaken(raw, event)) continue;
      if (!socket.destroyed) app.metrics.subscriptionsDropped.inc();
      socket.destroy();
      return;
    }
    raw.end();
  } finally {
    socket.off('close', end);
    end();
  }
}

/** @returns whether the other side, or the network before it, has taken it in time */
async function isTaken(raw: FastifyReply['raw'], event: string): Promise<boolean> {
  const given = new AbortController();
  const taken = new Promise<boolean>((resolve) => {
    // As bytes, because the unsent length of a text is counted in UTF-16 units.
    raw.write(Buffer.from(event), (error) => {
      resolve(error == null);
    });
  });
  const stalled = sleep(STALLED_MS, false, { signal: given.signal }).catch(() => false);
  const result = await Promise.race([taken, stalled]);
  given.abort();
  return result;
}
