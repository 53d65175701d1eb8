import { randomUUID } from 'node:crypto';
import cookie from '@fastify/cookie';
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import type { App } from '../app.js';
import { badUserInput, busy, DomainError, ERROR_CODES, internal } from '../domain/errors.js';
import { serveFiles } from './files.js';
import { serveGraphiql } from './graphiql.js';
import { waitOf } from './graphql/answers.js';
import { serveGraphql } from './graphql/graphql.js';
import { serveHealth } from './health.js';
import { serveKeys } from './keys.js';
import { serveMailbox } from './mailbox.js';
import { serveMetrics } from './metrics.js';
import { currentRequest, isSecure } from './requests.js';
import { serveStreams } from './streams.js';
import { serveSecurityContact } from './security-txt.js';

/** For answers that are no pages; a page has a policy of its own. */
const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
};
const MOST_BODY_BYTES = 1024 * 1024;
const UNREAD_MS = 60_000;

/** The API's doors, not listening yet: GraphQL, recordings, GraphiQL, health. */
export async function createServer(
  app: App,
  options: { graphiqlFolder: string },
): Promise<FastifyInstance> {
  const trusted = app.config.http.trustProxy;
  const server = fastify({
    bodyLimit: MOST_BODY_BYTES,
    // Who sends slowly is not waited for.
    requestTimeout: 30_000,
    http: { headersTimeout: 10_000, connectionsCheckingInterval: 5_000 },
    trustProxy: typeof trusted === 'number' ? (_address, hop) => hop < trusted : trusted,
    genReqId: () => randomUUID(),
    logger: false,
    // What is no address at all comes past every hook, and would be repeated.
    frameworkErrors: ({ statusCode = 400 }, request, reply: FastifyReply) => {
      secure(app, request, reply);
      void reply.code(statusCode).send({ error: 'This is not an address.' });
    },
    // An idle keep-alive connection must not hold up a stop.
    forceCloseConnections: 'idle',
  });
  server.addHook('onRequest', (request, reply, done) => {
    secure(app, request, reply);
    done();
  });
  server.addHook('preHandler', (request, _reply, done) => {
    currentRequest.run({ requestId: request.id }, done);
  });
  // Nor is who does not read their answer; whoever listens to a recording may ask for the rest of it.
  server.addHook('onSend', (request, _reply, _payload, done) => {
    request.raw.socket.setTimeout(UNREAD_MS);
    done();
  });
  endWithoutWaiting(server, app);
  server.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ error: 'There is nothing here.' }),
  );
  server.setErrorHandler((error: FastifyError, request, reply) => {
    const refusal = refusalOf(error, request.id);
    if (refusal.code === 'INTERNAL')
      app.log.error({ requestId: request.id, err: error }, 'unexpected error');
    // What is refused before GraphQL looks at it has no data that a 200 could be for.
    const status =
      error.statusCode !== undefined && error.statusCode < 500
        ? error.statusCode
        : Math.max(400, ERROR_CODES[refusal.code]);
    const { message, code, details } = refusal;
    const errors = [{ message, extensions: { code, ...details } }];
    return reply.code(status).headers(waitOf(errors)).send({ errors });
  });
  await server.register(cookie);
  serveHealth(server, app);
  serveKeys(server, app);
  serveSecurityContact(server, app);
  serveMailbox(server, app);
  serveMetrics(server, app);
  serveFiles(server, app);
  serveStreams(server, app);
  if (app.config.graphiql) await serveGraphiql(server, { folder: options.graphiqlFolder });
  await serveGraphql(server, app);
  return server;
}

/** Neither streams that never end by themselves nor connections that have ended theirs hold up a stop. */
function endWithoutWaiting(server: FastifyInstance, app: App): void {
  let closing = false;
  server.addHook('preClose', (done) => {
    closing = true;
    app.followers.close();
    done();
  });
  // What was answered since then was promised that the connection would stay.
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

function refusalOf(error: FastifyError, requestId: string): DomainError {
  if (error instanceof DomainError) return error;
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return badUserInput('body', 'must be at most 1 MB');
  const status = error.statusCode ?? 500;
  if (status >= 400 && status < 500) return badUserInput('body', error.message);
  return status === 503 ? busy(error) : internal(requestId);
}
