import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { App } from '../services/app.js';
import { serveHealth } from './health.js';
import { countRequests } from './counters/requests.js';
import { bearerOf, hostOf, isFromHere } from './requests.js';
import { exposeMetrics, type Exposed } from '../services/metrics/expose.js';

/** Serves /metrics at the API's own port to this machine and to clients with METRICS_TOKEN. */
export function serveMetrics(server: FastifyInstance, app: App): void {
  if (app.config.metrics.port !== null) return;
  const expose = exposeMetrics(app);
  server.get('/metrics', (request, reply) => {
    // Others get 404, so that they do not learn that there is anything.
    if (!isFromHere(request) && !hasToken(request, app.config.metrics.tokens)) {
      reply.callNotFound();
      return reply;
    }
    return answer(expose, reply);
  });
}

/** Prometheus and probes need a few connections. Without a bound, one client in the private network could open all files. */
const CONNECTIONS_MAX = 64;

/**
 * The server at METRICS_PORT, which is not for the public. It also has /healthz and /readyz, because a worker has no other
 * server. /metrics needs METRICS_TOKEN where that is set, and otherwise a Host that no page of another site can have.
 * @returns null without METRICS_PORT
 */
export function createMetricsServer(app: App): FastifyInstance | null {
  if (app.config.metrics.port === null) return null;
  const server = fastify({
    logger: false,
    forceCloseConnections: true,
    bodyLimit: 1024,
    requestTimeout: 10_000,
    // An answer that is not read, and a connection that is not used, must not keep a probe out.
    connectionTimeout: 30_000,
    keepAliveTimeout: 5_000,
    http: { headersTimeout: 5_000, connectionsCheckingInterval: 1_000, maxHeaderSize: 16_384 },
  });
  server.server.maxConnections = CONNECTIONS_MAX;
  countRequests(server, app);
  const expose = exposeMetrics(app);
  server.get('/metrics', (request, reply) => {
    const { tokens } = app.config.metrics;
    if (tokens.length > 0 && !hasToken(request, tokens))
      return reply
        .code(401)
        .header('www-authenticate', 'Bearer')
        .send({ error: 'METRICS_TOKEN is set: send it as a bearer.' });
    if (tokens.length === 0 && !isPrivateName(request.headers.host, app.config.host))
      return reply.code(421).send({
        error:
          'Host must be an address, localhost, HOST or a name without dots: ask by one of these, or set METRICS_TOKEN.',
      });
    return answer(expose, reply);
  });
  serveHealth(server, app);
  return server;
}

/**
 * Whether a Host is one that a page of another site cannot have: names that lead here by DNS rebinding are names of
 * the internet, which have dots. Prometheus sends an address in Kubernetes, and a service's name in Compose.
 */
function isPrivateName(header: string | undefined, ownHost: string): boolean {
  const host = hostOf(header);
  if (host === null) return false;
  return isIP(host) !== 0 || !host.includes('.') || host === ownHost.toLowerCase();
}

async function answer(expose: () => Promise<Exposed>, reply: FastifyReply): Promise<FastifyReply> {
  const { contentType, text } = await expose();
  return reply.header('content-type', contentType).header('cache-control', 'no-store').send(text);
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Whether the request has METRICS_TOKEN, or the token that it replaces. */
function hasToken(request: FastifyRequest, tokens: readonly string[]): boolean {
  const given = bearerOf(request);
  if (given === undefined) return false;
  return tokens.some((token) => timingSafeEqual(sha256(given), sha256(token)));
}
