import { Transform } from 'node:stream';
import type { FastifyInstance, FastifyRequest, RequestPayload } from 'fastify';
import type { App } from '../../services/app.js';
import { badUserInput, DomainError } from '../../domain/errors.js';
import { identifyViewer } from '../../services/sessions/viewer.js';
import { bearerOf, isGraphql } from '../requests.js';
import { admittedRequestOf } from './admitted-request.js';
import { BODY_BYTES_MAX, LARGE_BODY_BYTES_MAX, MB } from './bounds.js';

/** The most bytes that the body of a request may have, from its headers alone. It may reject with a refusal. */
export type BodyBytesMaxOf = (request: FastifyRequest) => number | Promise<number>;

const BODILESS = ['GET', 'HEAD', 'TRACE'];

/** BODY_BYTES_MAX for every request. */
export const usualBodyBytesMax: BodyBytesMaxOf = () => BODY_BYTES_MAX;

/**
 * Administrators may send LARGE_BODY_BYTES_MAX to GraphQL, because only they add stories and grant points to many. The
 * token is checked before the body is read, so that strangers cannot send more than BODY_BYTES_MAX.
 */
export const largerForAdministrators =
  (app: App): BodyBytesMaxOf =>
  (request) => {
    const token = bearerOf(request);
    const isLarge = bodyBytesOf(request, Infinity) > BODY_BYTES_MAX;
    if (!isLarge || token === undefined || !isGraphql(request)) return BODY_BYTES_MAX;
    return administratorBytesMax(app, request, token);
  };

/** @throws why the token is refused, so that its owner refreshes it instead of sending less */
async function administratorBytesMax(
  app: App,
  { headers }: FastifyRequest,
  token: string,
): Promise<number> {
  const viewer = await identifyViewer(app, token);
  if (!(viewer instanceof DomainError))
    return viewer.role === 'ADMIN' ? LARGE_BODY_BYTES_MAX : BODY_BYTES_MAX;
  // A body in pieces may be short, and then its operation may need no token.
  if (headers['transfer-encoding'] !== undefined) return BODY_BYTES_MAX;
  if (Number(headers['content-length']) > LARGE_BODY_BYTES_MAX) return BODY_BYTES_MAX;
  throw viewer;
}

/** The bytes that a body is announced with; `inPieces` for one that comes in pieces of unknown number. */
export function bodyBytesOf({ method, headers }: FastifyRequest, inPieces: number): number {
  if (BODILESS.includes(method)) return 0;
  if (headers['transfer-encoding'] !== undefined) return inPieces;
  return Number(headers['content-length'] ?? 0);
}

/**
 * A BAD_USER_INPUT with the HTTP status 413.
 * @param bytesMax a multiple of a megabyte, in which the message states it
 */
export const bodyTooLarge = (bytesMax: number): Error =>
  Object.assign(
    badUserInput('body', `must be at most ${String(bytesMax / MB)} MB. Send less at once.`),
    {
      statusCode: 413,
    },
  );

/** Refuses a body in pieces as soon as it has more bytes than are held for it. */
export function boundBodiesInPieces(server: FastifyInstance): void {
  server.addHook('preParsing', (request, _reply, payload, done) => {
    const bytesMax = admittedRequestOf(request)?.body?.bytes;
    const isInPieces = request.headers['transfer-encoding'] !== undefined;
    done(null, isInPieces && bytesMax !== undefined ? bounded(payload, bytesMax) : payload);
  });
}

function bounded(payload: RequestPayload, bytesMax: number): Transform {
  let bytes = 0;
  const counted = new Transform({
    transform: (chunk: Buffer, _encoding, next) => {
      bytes += chunk.length;
      next(bytes > bytesMax ? bodyTooLarge(bytesMax) : null, chunk);
    },
  });
  payload.once('error', (error) => counted.destroy(error));
  return payload.pipe(counted);
}
