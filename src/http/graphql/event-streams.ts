import { setTimeout as sleep } from 'node:timers/promises';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { GraphQLSchema } from 'graphql';
import { createHandler, type Handler, type OperationResult, type Response } from 'graphql-sse';
import type { App } from '../../app.js';
import type { RequestFacts } from '../../resolvers/context.js';
import { holdConnection } from '../requests.js';
import { waitOf } from './answers.js';
import { assertOperation, isSubscription } from './operations.js';
import { openSubscription, type Refusal } from './subscribe.js';

/** Who does not take what was written within this time is not waited for. */
const STALLED_MS = 10_000;
const EVENT_STREAM = 'text/event-stream';

/**
 * Answers subscriptions as server-sent events, one a connection (the "distinct connections mode" of the GraphQL
 * over SSE protocol): at /graphql for whoever accepts text/event-stream, and at /graphql/stream.
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
  const handler = createHandler<FastifyRequest, RequestFacts>({
    // One connection for many operations would be held by one process alone.
    authenticate: () => null,
    onSubscribe: async ({ context }, operation) => {
      const opened = await openSubscription(app, schema, context, operation);
      return 'status' in opened ? refusalOf(opened) : (opened as OperationResult);
    },
  });
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    assertOperation(request);
    const gone = holdConnection(request, reply);
    if (gone !== null)
      await stream(app, handler, request, reply, await factsOf(request, reply, gone));
  };
  server.addHook('preHandler', async (request, reply) => {
    if (wantsEvents(request)) await answer(request, reply);
  });
  server.route({ method: ['GET', 'POST'], url: '/graphql/stream', handler: answer });
}

/** Some clients accept events beside JSON whatever they ask: then what they ask decides. */
function wantsEvents(request: FastifyRequest): boolean {
  const accept = request.headers.accept?.toLowerCase() ?? '';
  if (!accept.includes(EVENT_STREAM)) return false;
  return !/json|\*\/\*/.test(accept) || isSubscription(request);
}

/** As events, with the status of what was refused. */
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
  handler: Handler<FastifyRequest, RequestFacts>,
  request: FastifyRequest,
  reply: FastifyReply,
  facts: RequestFacts,
): Promise<void> {
  const { headers } = request;
  const [body, init] = await handler({
    method: request.method,
    url: request.url,
    headers: { get: (name) => (name === 'accept' ? EVENT_STREAM : String(headers[name] ?? '')) },
    body: request.body as Record<string, unknown>,
    raw: request,
    context: facts,
  });
  const { raw } = reply;
  reply.hijack();
  raw.writeHead(init.status, {
    ...(reply.getHeaders() as Record<string, string>),
    ...init.headers,
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  if (body === null || typeof body === 'string') raw.end(body ?? '');
  else await writeAll(app, reply, request.raw.socket, body);
}

/** Writes what comes, as fast as it is taken and no faster. */
async function writeAll(
  app: App,
  { raw }: FastifyReply,
  socket: Socket,
  events: AsyncGenerator<string>,
): Promise<void> {
  const end = (): void => void events.return(undefined);
  // An answer that waits behind another one on its connection is not told when that closes.
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
    raw.write(event, (error) => {
      resolve(error == null);
    });
  });
  const stalled = sleep(STALLED_MS, false, { signal: given.signal }).catch(() => false);
  const result = await Promise.race([taken, stalled]);
  given.abort();
  return result;
}
