import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ErrorCode } from '../../domain/errors.js';
import {
  currentWork,
  type CurrentWork,
  type Span,
} from '../../services/observability/current-work.js';

/** The outcome under which the answer to an operation is counted. */
export interface Outcome {
  readonly operation: string;
  readonly type: string;
  readonly code: ErrorCode | 'OK';
}

/**
 * The state of a request until it ends. It is the current work while the request is being answered. A class, so that
 * `currentRecord` can tell it from the work of a job.
 */
export class RequestRecord implements CurrentWork {
  readonly requestId: string;
  readonly span: Span | null;
  declare viewerId?: string;
  /** When its body had been received, on the clock of `performance`. Null for a request that is not an operation. */
  receivedAtMs: number | null = null;
  /** Null until it is known. */
  outcome: Outcome | null = null;

  constructor(requestId: string, span: Span | null) {
    this.requestId = requestId;
    this.span = span;
  }
}

const RECORD = Symbol('record of the request');

declare module 'fastify' {
  interface FastifyRequest {
    [RECORD]: RequestRecord | null;
  }
}

/** Reserves a property for the record of each request, because it is faster than a map. */
export function keepRecords(server: FastifyInstance): void {
  server.decorateRequest(RECORD, null);
}

/** Makes the record of a request and keeps it at the request. The span is null when the request is not traced. */
export function beginRecord(request: FastifyRequest, span: Span | null): void {
  request[RECORD] = new RequestRecord(request.id, span);
}

/** @returns null for a request that no hook has seen, because its address is malformed */
export const recordOf = (request: FastifyRequest): RequestRecord | null => request[RECORD];

/** The record of the request that is being answered. */
export function currentRecord(): RequestRecord | null {
  const work = currentWork.getStore();
  return work instanceof RequestRecord ? work : null;
}
