/*
 * Admission bounds the memory that clients can make this process use. `bounds.ts` has all numbers. Everything is counted
 * for each client address and for all of them.
 *
 * A connection is counted from its start to its close (`connections.ts`). A request on it has four states:
 *
 * - Admitted, in `onRequest`, after the headers and before the body is read. It holds the announced bytes of its body
 *   (`BODY_BOUNDS`). Without room for them it is BUSY, or a body that another address is still sending is cut off. At
 *   most `REQUESTS_PER_CONNECTION_MAX` requests of a connection are in these four states.
 * - Running, when `awaitTurn` resolves. An expensive operation waits for its turn in a lane before (`pacing.ts`). Beside
 *   the body it holds the most bytes that its operation may answer (`ANSWER_BOUNDS`). It waits two seconds for that room,
 *   and is BUSY then (`answer-room.ts`). What is no operation of GraphQL goes from admitted to answered.
 * - Answered, in `onSend`. It no longer holds a body or an operation, but the bytes of its answer (`ANSWER_BOUNDS` again).
 *   `unread-answers.ts` cuts off answers that are taken too slowly. A streamed answer holds nothing; the unsent bytes of
 *   its connection are checked once a second instead.
 * - Taken, when the response or its connection closes. It holds nothing.
 *
 * A refused request may have a body that its client is still sending. `discards.ts` reads that and keeps nothing of it.
 *
 * A client may leave in each state. While its body is received, Fastify answers with an error, and `onSend` releases the
 * body. While the handler runs, the holds stay until the handler answers, because it goes on using the memory. An answer
 * is released at once. A handler that hijacks its reply has no `onSend`, so it calls `releaseBody` and `endTurns`.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../../services/app.js';
import { badUserInput, busy } from '../../domain/errors.js';
import { networksOf } from '../../domain/networks.js';
import { STREAM_PATH } from '../graphql/operation.js';
import { addressOf, BUSY_SECONDS } from '../requests.js';
import {
  admittedRequestOf,
  beginRequest,
  releaseHolds,
  type Admission,
  type AdmittedRequest,
} from './admitted-request.js';
import {
  ANSWER_BOUNDS,
  BODY_BOUNDS,
  HEADERS_MAX,
  HEALTH_PATHS,
  REQUESTS_PER_CONNECTION_MAX,
} from './bounds.js';
import { createAnswerRoom } from './answer-room.js';
import { createBudget } from './budget.js';
import {
  bodyBytesOf,
  bodyTooLarge,
  boundBodiesInPieces,
  usualBodyBytesMax,
  type BodyBytesMaxOf,
} from './body-sizes.js';
import { createConnections } from './connections.js';
import { discardRefusedBodies } from './discards.js';
import { createLane } from './lane.js';
import { paceOperation } from './pacing.js';
import { isBuffered, SLICE_BYTES, Slices } from './slices.js';
import { createUnreadAnswers } from './unread-answers.js';

interface AdmissionOptions {
  /** A clock that never goes back, in milliseconds. */
  readonly now?: () => number;
  /** How often unread answers are checked and gauges are set. */
  readonly sweepMs?: number;
  readonly bodyBytesMaxOf?: BodyBytesMaxOf;
}

/**
 * Bounds connections, requests on each of them, bodies and answers of a server. A request beyond a bound is refused
 * before its body is read, or its connection is closed.
 */
export function admitRequests(
  server: FastifyInstance,
  app: Pick<App, 'config' | 'metrics'>,
  options: AdmissionOptions = {},
): void {
  const { now = () => performance.now(), sweepMs = 1_000 } = options;
  const { bodyBytesMaxOf = usualBodyBytesMax } = options;
  const answers = createBudget(ANSWER_BOUNDS);
  const admission: Admission = {
    metrics: app.metrics,
    answers,
    connections: createConnections(app),
    bodies: createBudget(BODY_BOUNDS),
    answerRoom: createAnswerRoom(answers),
    operations: createLane('when another waits'),
    unread: createUnreadAnswers(app, answers, ANSWER_BOUNDS, now),
  };
  server.server.on('connection', (socket) => {
    admission.connections.register(socket);
  });
  server.addHook('onRequest', (request, reply, done) => {
    admit(admission, request, reply, bodyBytesMaxOf, done);
  });
  boundBodiesInPieces(server);
  server.addHook('preValidation', (request, _reply, done) => {
    const body = admittedRequestOf(request)?.body;
    // The body is received. The handler uses it from here on, even if the connection is closed.
    if (body != null) body.cut = null;
    done();
  });
  discardRefusedBodies(server);
  server.addHook('onSend', (request, reply, payload, done) => {
    done(null, countAnswer(admission, request, reply, payload));
  });
  const timer = setInterval(() => {
    sweep(admission);
  }, sweepMs).unref();
  server.addHook('onClose', (_server, done) => {
    clearInterval(timer);
    done();
  });
}

/**
 * Waits until the operation of a request may run. Subscriptions take no turn: opening one reads a row or two, and their
 * events are executed two at a time (`subscribe.ts`).
 * @throws BUSY when there is no room for it in time, or its client has left
 */
export async function awaitTurn(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const own = admittedRequestOf(request);
  if (own === undefined || request.routeOptions.url === STREAM_PATH) return;
  const { admission } = own;
  // Before the room for its answer, because a request that waits for its turn must not keep that from others.
  await paceOperation(admission.operations, request);
  const hold = await admission.answerRoom.take(own.address, own.cost);
  if (hold === null) throw refuse(admission, reply, 'turn');
  own.operation = hold;
  // Its client left while it waited. The refusal passes through onSend, which releases the hold.
  if (own.closed) throw busy();
}

function admit(
  admission: Admission,
  request: FastifyRequest,
  reply: FastifyReply,
  bodyBytesMaxOf: BodyBytesMaxOf,
  done: (error?: Error) => void,
): void {
  const { socket } = request.raw;
  const connection = admission.connections.register(socket);
  // Requests that were pipelined behind the one that closed the connection get no answer.
  if (socket.destroyed) {
    reply.hijack();
    return;
  }
  if (connection.requests >= REQUESTS_PER_CONNECTION_MAX) {
    admission.metrics.answersCutOff.inc({ reason: 'pipelined' });
    reply.hijack();
    socket.destroy();
    return;
  }
  const address = networksOf(addressOf(request) ?? connection.peer).own;
  connection.client = address;
  const own = beginRequest(request, reply, { admission, connection, address });
  const decide = (bytesMax: number): void => {
    // Nothing is emitted any more on a connection that has closed: no hook would release the body.
    if (own.closed) done(busy());
    else done(reasonToRefuse(admission, request, reply, own, bytesMax) ?? undefined);
  };
  const bytesMax = bodyBytesMaxOf(request);
  if (typeof bytesMax === 'number') decide(bytesMax);
  else void bytesMax.then(decide, done);
}

/** @returns null when there is room for the request; then the bytes of its body are held */
function reasonToRefuse(
  admission: Admission,
  request: FastifyRequest,
  reply: FastifyReply,
  own: AdmittedRequest,
  bodyBytesMax: number,
): Error | null {
  if (request.raw.rawHeaders.length / 2 > HEADERS_MAX) {
    void reply.code(431).header('connection', 'close');
    return badUserInput('headers', `must be at most ${String(HEADERS_MAX)}`);
  }
  if (HEALTH_PATHS.includes(request.routeOptions.url ?? '')) return null;
  const { answers, bodies } = admission;
  if (answers.bytesOf(own.address) >= ANSWER_BOUNDS.addressBytesMax)
    return refuse(admission, reply, 'answers');
  const bytes = bodyBytesOf(request, bodyBytesMax);
  if (bytes === 0) return null;
  if (bytes > bodyBytesMax) return bodyTooLarge(bodyBytesMax);
  own.body = bodies.tryHold(own.address, bytes, () => {
    admission.metrics.requestsRefused.inc({ reason: 'bodies' });
    own.connection.socket.destroy();
  });
  return own.body === null ? refuse(admission, reply, 'bodies') : null;
}

function refuse(
  { metrics }: Admission,
  reply: FastifyReply,
  reason: 'answers' | 'bodies' | 'turn',
): Error {
  metrics.requestsRefused.inc({ reason });
  // The connection must close, because an unread body would be taken for the next request.
  void reply.header('retry-after', String(BUSY_SECONDS)).header('connection', 'close');
  return busy();
}

/** Releases what the answer was made from, and counts the answer until it is taken. */
function countAnswer(
  { unread }: Admission,
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
): unknown {
  const own = admittedRequestOf(request);
  if (own === undefined) return payload;
  request.body = undefined;
  releaseHolds(own);
  // An error while an answer is sent leads to a second answer in its place.
  own.endUnread?.();
  own.endUnread = null;
  if (!isBuffered(payload)) return payload;
  if (own.closed) return '';
  if (payload.length === 0) return payload;
  const bytes = Buffer.byteLength(payload);
  if (bytes <= SLICE_BYTES || request.method === 'HEAD') {
    own.endUnread = unread.add(own.connection, own.address, bytes, () => 0);
    return payload;
  }
  const slices = new Slices(Buffer.isBuffer(payload) ? payload : Buffer.from(payload));
  own.endUnread = unread.add(own.connection, own.address, bytes, () => slices.takenBytes);
  void reply.header('content-length', String(bytes));
  return slices;
}

function sweep({ metrics, connections, unread, bodies, answers }: Admission): void {
  unread.sweep(connections.all());
  metrics.connections.set(connections.count());
  metrics.bodyBytes.set(bodies.bytes());
  metrics.answerBytes.set(answers.bytes());
}
