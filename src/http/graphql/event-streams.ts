import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { GraphQLSchema } from 'graphql';
import { createHandler, type Handler, type OperationResult } from 'graphql-sse';
import type { App } from '../../app.js';
import type { RequestFacts } from '../../resolvers/context.js';
import { waitOf } from './answers.js';
import { openSubscription, type Refusal } from './subscribe.js';

/** Who does not take what was written within this time is not waited for. */
const STALLED_MS = 10_000;
const EVENT_STREAM = 'text/event-stream';

/** Everything that opening a stream needs, and what it found out. */
interface Opening {
  readonly facts: RequestFacts;
  refusal?: Refusal;
}

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
  const handler = createHandler<FastifyRequest, Opening>({
    // One connection for many operations would be held by one process alone.
    authenticate: () => null,
    onSubscribe: async ({ context }, operation) => {
      const opened = await openSubscription(app, schema, context.facts, operation);
      if (!('status' in opened)) return opened as OperationResult;
      context.refusal = opened;
      // As errors leave already: from here on they are only written down.
      return { data: null, errors: opened.errors } as unknown as OperationResult;
    },
  });
  const answer = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const gone = new AbortController();
    reply.raw.once('close', () => {
      gone.abort();
    });
    const facts = await factsOf(request, reply, gone.signal);
    await stream(app, handler, request, reply, { facts });
  };
  server.addHook('preHandler', async (request, reply) => {
    if (request.headers.accept?.includes(EVENT_STREAM) === true) await answer(request, reply);
  });
  server.route({ method: ['GET', 'POST'], url: '/graphql/stream', handler: answer });
}

async function stream(
  app: App,
  handler: Handler<FastifyRequest, Opening>,
  request: FastifyRequest,
  reply: FastifyReply,
  opening: Opening,
): Promise<void> {
  const { headers } = request;
  const [body, init] = await handler({
    method: request.method,
    url: request.url,
    headers: { get: (name) => (name === 'accept' ? EVENT_STREAM : String(headers[name] ?? '')) },
    body: request.body as Record<string, unknown>,
    raw: request,
    context: opening,
  });
  const { raw } = reply;
  reply.hijack();
  raw.writeHead(opening.refusal?.status ?? init.status, {
    ...(reply.getHeaders() as Record<string, string>),
    ...waitOf(opening.refusal?.errors ?? []),
    ...init.headers,
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  if (body === null || typeof body === 'string') raw.end(body ?? '');
  else await writeAll(app, raw, body);
}

/** Writes what comes, as fast as it is taken and no faster. */
async function writeAll(
  app: App,
  raw: ServerResponse,
  events: AsyncGenerator<string>,
): Promise<void> {
  const end = (): void => void events.return(undefined);
  raw.once('close', end);
  try {
    for await (const event of events) {
      if (await isTaken(raw, event)) continue;
      if (!raw.destroyed) app.metrics.subscriptionsDropped.inc();
      raw.destroy();
      return;
    }
    raw.end();
  } finally {
    raw.off('close', end);
    end();
  }
}

/** @returns whether the other side, or the network before it, has taken it in time */
async function isTaken(raw: ServerResponse, event: string): Promise<boolean> {
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
