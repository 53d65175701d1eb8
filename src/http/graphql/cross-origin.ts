import cors from '@fastify/cors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../../services/app.js';
import { isGraphql } from '../requests.js';

const PREFLIGHT_SECONDS = 600;
/** What a page may read beside what every page may. */
const EXPOSED_HEADERS = ['retry-after'];

/**
 * Lets pages of CORS_ORIGINS read every answer of GraphQL, including refusals from hooks that run before `allowOrigins`:
 * without this, a page sees a failed network and neither the error nor `Retry-After`.
 */
export function allowReading(server: FastifyInstance, app: App): void {
  const { corsOrigins } = app.config.http;
  if (corsOrigins.length === 0) return;
  server.addHook('onRequest', (request, reply, done) => {
    if (isGraphql(request)) allow(corsOrigins, request, reply);
    done();
  });
}

function allow(
  origins: readonly string[],
  { headers: { origin } }: FastifyRequest,
  reply: FastifyReply,
): void {
  void reply.header('vary', 'Origin');
  if (origin === undefined || !origins.includes(origin)) return;
  void reply.headers({
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': EXPOSED_HEADERS.join(', '),
  });
}

/**
 * Lets pages of CORS_ORIGINS use what is registered on this server, with their cookies; no others. They may send any
 * header, because clients, tracing and error reporting add their own, and an origin that is listed is trusted.
 */
export async function allowOrigins(server: FastifyInstance, app: App): Promise<void> {
  const { corsOrigins } = app.config.http;
  if (corsOrigins.length === 0) return;
  await server.register(cors, {
    origin: [...corsOrigins],
    credentials: true,
    methods: ['GET', 'POST', 'OPTIONS'],
    exposedHeaders: EXPOSED_HEADERS,
    maxAge: PREFLIGHT_SECONDS,
  });
}
