import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../../services/app.js';
import type { AnswerRoom } from './answer-room.js';
import type { Budget, Hold } from './budget.js';
import type { Connection, Connections } from './connections.js';
import type { Lane } from './lane.js';
import type { UnreadAnswers } from './unread-answers.js';

/** What one server counts. */
export interface Admission {
  readonly metrics: App['metrics'];
  readonly connections: Connections;
  readonly bodies: Budget;
  readonly answers: Budget;
  readonly answerRoom: AnswerRoom;
  /** The lane of expensive operations. */
  readonly operations: Lane;
  readonly unread: UnreadAnswers;
}

/** A request between its headers and the end of its answer. `admission.ts` describes its states. */
export interface AdmittedRequest {
  readonly admission: Admission;
  readonly connection: Connection;
  readonly address: string;
  /** What its operation costs, as documents are measured. */
  cost: number;
  /** The bytes of its body. It has a `cut` until the body is received. */
  body: Hold | null;
  /** The most bytes that the running operation may answer. */
  operation: Hold | null;
  /** Each ends a turn of the request in a lane, and is idempotent. */
  readonly endTurns: (() => void)[];
  /** Ends the counting of its unread answer. */
  endUnread: (() => void) | null;
  /** Whether its answer was taken or its connection closed. */
  closed: boolean;
}

const requests = new WeakMap<IncomingMessage, AdmittedRequest>();
/** The requests of each connection whose answer the client has not taken yet. */
const underWay = new WeakMap<Socket, Set<IncomingMessage>>();

/** Whether a request that has come whole waits for its answer on a connection. */
export const awaitsAnswer = (socket: Socket): boolean =>
  [...(underWay.get(socket) ?? [])].some(({ complete }) => complete);

/** @returns undefined for a request that came on a closed connection, or beyond the bound of its connection */
export const admittedRequestOf = ({ raw }: FastifyRequest): AdmittedRequest | undefined =>
  requests.get(raw);

/** Begins the life of a request. From here on, its end is noticed however it ends. */
export function beginRequest(
  request: FastifyRequest,
  reply: FastifyReply,
  from: Pick<AdmittedRequest, 'admission' | 'connection' | 'address'>,
): AdmittedRequest {
  const { connection } = from;
  const own: AdmittedRequest = {
    ...from,
    cost: 0,
    body: null,
    operation: null,
    endTurns: [],
    endUnread: null,
    closed: false,
  };
  const { raw } = request;
  const others = underWay.get(raw.socket) ?? new Set();
  requests.set(raw, own);
  underWay.set(raw.socket, others.add(raw));
  connection.requests += 1;
  const onClose = (): void => {
    if (own.closed) return;
    own.closed = true;
    connection.requests -= 1;
    others.delete(raw);
    connection.closeListeners.delete(onClose);
    reply.raw.off('close', onClose);
    own.endUnread?.();
    // Body and operation stay until the handler answers, because it still uses the memory.
  };
  reply.raw.once('close', onClose);
  // A response that waits behind another one on its connection emits no event when the connection closes.
  connection.closeListeners.add(onClose);
  return own;
}

/** Idempotent. */
export function releaseHolds(own: AdmittedRequest): void {
  endTurnsOf(own);
  releaseBodyOf(own);
  own.operation?.release();
  own.operation = null;
}

/** Idempotent. */
export function endTurnsOf(own: AdmittedRequest): void {
  for (const end of own.endTurns.splice(0)) end();
}

/** Idempotent. */
export function releaseBodyOf(own: AdmittedRequest): void {
  own.body?.release();
  own.body = null;
}

/** Keeps the measured cost of a request's operation until `awaitTurn` uses it. */
export function noteCost(request: FastifyRequest, cost: number): void {
  const own = admittedRequestOf(request);
  if (own !== undefined) own.cost = cost;
}

/** Releases the body of a request that no longer needs it. */
export function releaseBody(request: FastifyRequest): void {
  const own = admittedRequestOf(request);
  if (own !== undefined) releaseBodyOf(own);
}

/** Ends the turns of a request whose work is done before its answer ends. */
export function endTurns(request: FastifyRequest): void {
  const own = admittedRequestOf(request);
  if (own !== undefined) endTurnsOf(own);
}
