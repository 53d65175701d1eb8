import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyServerOptions } from 'fastify';
import { awaitsAnswer } from './admission/admitted-request.js';
import { DISCARD } from './admission/bounds.js';
import { stopDiscarding } from './admission/discards.js';

/** By the code of Node's error; 400 for all others. */
const REFUSALS: Readonly<Record<string, readonly [status: number, message: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request did not come in time. Send it again, faster.'],
  HPE_HEADER_OVERFLOW: [431, 'The headers must be at most 16 kB. Send fewer or shorter ones.'],
};
const NOT_HTTP = [400, 'This is not an HTTP/1.1 request.'] as const;

/**
 * Answers what Node cannot read as a request, which passes no hook. What the client is still sending is read and thrown
 * away within the bounds of `DISCARD`, because a client whose connection is reset does not see the answer.
 */
export function createUnreadableHandler(): NonNullable<FastifyServerOptions['clientErrorHandler']> {
  /** How many bytes a connection had sent when it was answered. Node reports each further piece as an error again. */
  const answered = new WeakMap<Socket, number>();
  return ({ code }, socket) => {
    if (code === 'ECONNRESET' || socket.destroyed) return;
    const bytesBefore = answered.get(socket);
    if (bytesBefore !== undefined) {
      if (socket.bytesRead - bytesBefore > DISCARD.bytesMax) socket.destroy();
      return;
    }
    // While an earlier request waits, the client would take this answer for the answer to that one.
    if (!socket.writable || awaitsAnswer(socket)) {
      socket.destroy();
      return;
    }
    answered.set(socket, socket.bytesRead);
    if (!stopDiscarding(socket)) socket.end(textOf(...(REFUSALS[code] ?? NOT_HTTP)));
    const timer = setTimeout(() => socket.destroy(), 2 * DISCARD.silenceMsMax);
    socket.once('close', () => {
      clearTimeout(timer);
    });
    socket.once('end', () => socket.destroy());
  };
}

function textOf(status: number, message: string): string {
  const body = JSON.stringify({ error: message });
  return [
    `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${String(Buffer.byteLength(body))}`,
    'X-Content-Type-Options: nosniff',
    'Connection: close',
    '',
    body,
  ].join('\r\n');
}
