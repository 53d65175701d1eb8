import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../../services/app.js';
import {
  beginRequest,
  currentWork,
  isTracing,
  withSpan,
  type CurrentWork,
  type Span,
} from '../../services/observing/current.js';

/** These are asked every few seconds by programs, so that their lines are at level debug. */
const PROBES: readonly (string | undefined)[] = ['/healthz', '/readyz', '/metrics'];

/** What is remembered of a request until it ends. */
interface Observed {
  readonly work: CurrentWork & { readonly requestId: string };
  readonly span: Span | null;
}

const observed = new WeakMap<FastifyRequest, Observed>();

/**
 * Gives every request its place in the log and, if tracing is on, a span; logs a line when it ends. The first hook of
 * the server, so that it sees the requests that others refuse.
 */
export function observeRequests(server: FastifyInstance, app: App): void {
  server.addHook('onRequest', (request, reply, done) => {
    const span = isTracing() ? beginSpan(request, app.config) : null;
    observed.set(request, { work: { requestId: request.id }, span });
    // Emitted after the end of the answer, and also when the client leaves before.
    reply.raw.once('close', () => {
      finish(app, request, reply);
    });
    done();
  });
  // Later than the first hook, because the context is lost while a body is read.
  server.addHook('preHandler', (request, _reply, done) => {
    const { work = { requestId: request.id }, span = null } = observed.get(request) ?? {};
    currentWork.run(work, () => {
      if (span === null) done();
      else withSpan(span, done);
    });
  });
}

const routeOf = ({ routeOptions, is404 }: FastifyRequest): string | null =>
  is404 ? null : (routeOptions.url ?? null);

/** A method that HTTP does not have may be any text. */
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'];
const methodOf = ({ method }: FastifyRequest): string =>
  METHODS.includes(method) ? method : 'OTHER';

/** The path and the query are left out, because addresses of recordings are secret. */
function beginSpan(request: FastifyRequest, { tracing }: App['config']): Span | null {
  const method = methodOf(request);
  const route = routeOf(request);
  const { traceparent } = request.headers;
  return beginRequest({
    name: route === null ? method : `${method} ${route}`,
    ...(typeof traceparent === 'string' ? { traceparent } : {}),
    isOurs: tracing?.trustsParent === true,
    attributes: {
      'http.request.method': method,
      ...(route === null ? {} : { 'http.route': route }),
      'talebank.request_id': request.id,
    },
  });
}

/** Ends the span of a request whose answer goes on for an unknown time, because spans are only exported at their end. */
export function endSpanEarly(request: FastifyRequest, status: number): void {
  endSpan(observed.get(request), status);
}

function endSpan(of: Observed | undefined, status: number | null): void {
  if (of?.span?.isRecording() !== true) return;
  const { viewerId } = of.work;
  of.span.setAttributes({
    ...(status === null ? {} : { 'http.response.status_code': status }),
    ...(viewerId === undefined ? {} : { 'talebank.user_id': viewerId }),
  });
  of.span.end(status !== null && status < 500 ? undefined : new RequestFailed());
}

class RequestFailed extends Error {
  override readonly name = 'RequestFailed';
}

function finish(app: App, request: FastifyRequest, reply: FastifyReply): void {
  const { raw } = reply;
  const of = observed.get(request);
  const status = raw.headersSent ? raw.statusCode : null;
  endSpan(of, status);
  const { traceId, spanId } = of?.span ?? {};
  const userId = of?.work.viewerId;
  const line = {
    requestId: request.id,
    method: methodOf(request),
    route: routeOf(request),
    status,
    durationMs: Math.round(reply.elapsedTime * 10) / 10,
    complete: raw.writableFinished,
    ...(userId === undefined ? {} : { userId }),
    ...(traceId === undefined ? {} : { traceId, spanId }),
  };
  if (PROBES.includes(request.routeOptions.url))
    app.log.debug({ event: 'http-probe', ...line }, 'probe answered');
  else app.log.info({ event: 'http-request', ...line }, 'request answered');
}
