import { randomUUID } from 'node:crypto';
import cookie from '@fastify/cookie';
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { App } from '../services/app.js';
import { badUserInput, busy, DomainError, ERROR_CODES, internal } from '../domain/errors.js';
import { admitRequests } from './admission/admission.js';
import { largerForAdministrators } from './admission/body-sizes.js';
import { LARGE_BODY_BYTES_MAX } from './admission/bounds.js';
import { paceLongBodies } from './admission/pacing.js';
import { serveExports } from './downloads/exports.js';
import { serveSamples } from './downloads/samples.js';
import { serveStatements } from './downloads/statements.js';
import { allowPlayers, serveFiles } from './files.js';
import { serveGraphiql } from './graphiql.js';
import { logRefused, waitOf } from './graphql/answers.js';
import { allowReading } from './graphql/cross-origin.js';
import { serveGraphql } from './graphql/graphql.js';
import { serveHealth } from './health.js';
import { serveKeys } from './keys.js';
import { serveMailbox } from './mailbox.js';
import { serveMetrics } from './metrics.js';
import { noteRefused } from './counters/operations.js';
import { countRequests, countUnroutable } from './counters/requests.js';
import { createTrust } from './proxies.js';
import { observeRequests } from './observability/requests.js';
import { isSecure } from './requests.js';
import { serveStreams } from './streams.js';
import { serveSecurityContact } from './security-txt.js';
import { createUnreadableHandler } from './unreadable-requests.js';
import { serveWebApp } from './web/web-app.js';

/** For answers that are no pages; a page has a policy of its own. */
const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};
const UNREAD_MS = 60_000;

/** Creates the HTTP server of the API: GraphQL, recordings, the web app, GraphiQL, health. It does not listen yet. */
export async function createServer(
  app: App,
  options: { webFolder: string; graphiqlFolder: string },
): Promise<FastifyInstance> {
  const server = createFastify(app);
  observeRequests(server, app);
  server.addHook('onRequest', (request, reply, done) => {
    secure(app, request, reply);
    done();
  });
  countRequests(server, app);
  allowPlayers(server);
  allowReading(server, app);
  paceLongBodies(server);
  admitRequests(server, app, { bodyBytesMaxOf: largerForAdministrators(app) });
  // Closes connections whose client does not read the answer; a player may ask for the rest of a recording later.
  server.addHook('onSend', (request, _reply, _payload, done) => {
    request.raw.socket.setTimeout(UNREAD_MS);
    done();
  });
  endWithoutWaiting(server, app);
  answerErrors(server, app);
  await server.register(cookie);
  serveHealth(server, app);
  serveKeys(server, app);
  serveSecurityContact(server, app);
  serveMailbox(server, app);
  serveMetrics(server, app);
  serveFiles(server, app);
  serveStreams(server, app);
  serveSamples(server, app);
  serveStatements(server, app);
  serveExports(server, app);
  await serveWebApp(server, app, { folder: options.webFolder });
  if (app.config.graphiql) await serveGraphiql(server, { folder: options.graphiqlFolder });
  await serveGraphql(server, app);
  return server;
}

function createFastify(app: App): FastifyInstance {
  return fastify({
    // The bound for administrators. Admission applies a lower one to everyone else.
    bodyLimit: LARGE_BODY_BYTES_MAX,
    // A client that sends too slowly is refused.
    requestTimeout: 30_000,
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 5_000, maxHeaderSize: 16_384 },
    keepAliveTimeout: 72_000,
    trustProxy: createTrust(app.config.http.trustProxy),
    genReqId: () => randomUUID(),
    logger: false,
    // A malformed URL passes no hook, and Fastify's own answer would repeat it.
    frameworkErrors: ({ statusCode = 400 }, request, reply: FastifyReply) => {
      secure(app, request, reply);
      void reply.code(statusCode).send({ error: 'This is not an address.' });
      countUnroutable(app, reply);
    },
    clientErrorHandler: createUnreadableHandler(),
    // Fastify's own 503 says neither BUSY nor when to come back. `endWithoutWaiting` answers instead.
    return503OnClosing: false,
    // An idle keep-alive connection must not hold up a stop.
    forceCloseConnections: 'idle',
  });
}

/** Ends streams and keep-alive connections at a stop, because they would otherwise hold it up. */
function endWithoutWaiting(server: FastifyInstance, app: App): void {
  let closing = false;
  server.addHook('preClose', (done) => {
    closing = true;
    app.followers.close();
    done();
  });
  server.addHook('onRequest', (_request, reply, done) => {
    if (!closing) {
      done();
      return;
    }
    void reply.header('connection', 'close');
    done(busy());
  });
  // Requests from before the stop were answered with keep-alive, so that their connections are closed here.
  server.addHook('onResponse', (request, _reply, done) => {
    if (closing) request.raw.socket.end();
    done();
  });
}

function secure(app: App, request: FastifyRequest, reply: FastifyReply): void {
  void reply.headers(SECURITY_HEADERS);
  if (isSecure(app, request))
    void reply.header('strict-transport-security', 'max-age=31536000; includeSubDomains');
}

/** Answers requests that fail before they are executed, or while they are. */
function answerErrors(server: FastifyInstance, app: App): void {
  server.setErrorHandler((error: FastifyError, request, reply) => {
    const refusal = refusalOf(error, request.id);
    if (refusal.code === 'INTERNAL')
      app.log.error(
        { event: 'unexpected-error', requestId: request.id, err: error },
        'unexpected error',
      );
    logRefused(app, refusal.code);
    noteRefused(request, refusal.code);
    // Never 200, because a request that is refused before it is executed has no data.
    const status =
      error.statusCode !== undefined && error.statusCode < 500
        ? error.statusCode
        : Math.max(400, reply.statusCode, ERROR_CODES[refusal.code]);
    const { message, code, details } = refusal;
    const errors = [{ message, extensions: { code, ...details } }];
    return reply.code(status).headers(waitOf(errors)).send({ errors });
  });
}

function refusalOf(error: FastifyError, requestId: string): DomainError {
  if (error instanceof DomainError) return error;
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) return badUserInput('body', error.message);
  return status === 503 ? busy(error) : internal(requestId);
}
