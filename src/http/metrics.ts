import { createHash, timingSafeEqual } from 'node:crypto';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { App } from '../app.js';
import { serveHealth } from './health.js';
import { bearerOf, isFromHere } from './requests.js';
import { exposeMetrics } from '../services/metrics.js';

/** /metrics at the API's own port: for this machine, and for whoever has METRICS_TOKEN. */
export function serveMetrics(server: FastifyInstance, app: App): void {
  if (app.config.metrics.port !== null) return;
  server.get('/metrics', (request, reply) => {
    // As if there were nothing, for strangers.
    if (!isFromHere(request) && !hasToken(request, app.config.metrics.token)) {
      reply.callNotFound();
      return reply;
    }
    return answer(app, reply);
  });
}

/**
 * /metrics at METRICS_PORT, which is not for the public, with /healthz and /readyz, which a worker has
 * nowhere else. Null when there is no such port.
 */
export function createMetricsServer(app: App): FastifyInstance | null {
  if (app.config.metrics.port === null) return null;
  const server = fastify({ logger: false, forceCloseConnections: true });
  server.get('/metrics', (_request, reply) => answer(app, reply));
  serveHealth(server, app);
  return server;
}

async function answer(app: App, reply: FastifyReply): Promise<FastifyReply> {
  const { contentType, text } = await exposeMetrics(app);
  return reply.header('content-type', contentType).header('cache-control', 'no-store').send(text);
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

function hasToken(request: FastifyRequest, token: string | null): boolean {
  const given = bearerOf(request);
  if (token === null || given === undefined) return false;
  return timingSafeEqual(sha256(given), sha256(token));
}
