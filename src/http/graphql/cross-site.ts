import { MIMEType } from 'node:util';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { badUserInput } from '../../domain/errors.js';
import { asksForEvents } from './operation.js';

/** What a form of any site can send without asking first (https://fetch.spec.whatwg.org/#cors-safelisted-request-header). */
const SIMPLE_TYPES: ReadonlySet<string> = new Set([
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'text/plain',
]);

/** The headers that Apollo's clients send so that a browser asks first. */
const PREFLIGHTED_HEADERS = ['x-apollo-operation-name', 'apollo-require-preflight'];

/**
 * Refuses requests that a page of another site can make without a preflight, before anything of them is read, because
 * reading costs time. Apollo Server has the same rule, but applies it after the document was parsed, and not to events.
 */
export function refuseCrossSiteRequests(server: FastifyInstance): void {
  server.addHook('onRequest', (request, _reply, done) => {
    if (request.method !== 'OPTIONS' && !isPreflighted(request)) throw crossSiteRefusal();
    done();
  });
}

const crossSiteRefusal = (): Error =>
  badUserInput(
    'content-type',
    `must be application/json, or one of the headers ${PREFLIGHTED_HEADERS.join(', ')} must be set, because another site can send this request without them`,
  );

function isPreflighted(request: FastifyRequest): boolean {
  const { headers } = request;
  if (PREFLIGHTED_HEADERS.some((name) => (headers[name] ?? '') !== '')) return true;
  // Clients may follow a subscription by GET with their token, which a page cannot send to another site either.
  if (asksForEvents(request) && headers.authorization !== undefined) return true;
  const type = headers['content-type'];
  if (type === undefined) return false;
  try {
    return !SIMPLE_TYPES.has(new MIMEType(type).essence);
  } catch {
    // A browser sends no type that is none.
    return true;
  }
}
