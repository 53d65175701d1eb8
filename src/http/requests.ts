import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../services/app.js';
import { addressIn, isLoopback } from '../domain/networks.js';

/** The `Retry-After` of BUSY. It is short, because nothing tells how long the server will be busy. */
export const BUSY_SECONDS = 1;

/**
 * The address of the client. If a trusted proxy passes on something that is no address, the client has made it up, and
 * the proxy's own address is returned.
 */
export const addressOf = ({ ip, socket }: FastifyRequest): string | null =>
  addressIn(ip) ?? addressIn(socket.remoteAddress ?? '');

/** Whether a request is for GraphQL, at whichever of its addresses. */
export const isGraphql = ({ url }: FastifyRequest): boolean => url.startsWith('/graphql');

/** The bearer token of a request, which is not verified here. */
export const bearerOf = ({ headers }: FastifyRequest): string | undefined =>
  /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];

/** Whether the client uses TLS: up to this server, to a trusted proxy, or to a proxy whose https address is PUBLIC_URL. */
export const isSecure = (app: Pick<App, 'publicUrl'>, { protocol }: FastifyRequest): boolean =>
  protocol === 'https' || app.publicUrl().startsWith('https:');

/** Headers that proxies add, besides those that begin with x-forwarded. */
const PASSED_ON = [
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'cf-connecting-ip',
  'true-client-ip',
];

/**
 * Whether a request comes from this machine. It does not if a proxy on this machine passes it on, or if it comes from a
 * page whose host name was made to resolve to this machine (DNS rebinding).
 */
export function isFromHere({ headers, socket }: FastifyRequest): boolean {
  const passedOn = Object.keys(headers).some(
    (name) => PASSED_ON.includes(name) || name.startsWith('x-forwarded'),
  );
  const name = hostOf(headers.host);
  return (
    !passedOn &&
    isLoopback(addressIn(socket.remoteAddress ?? '') ?? '') &&
    name !== null &&
    (isLoopback(name) || name === 'localhost')
  );
}

/** @returns the name or address in a Host header, without the port; null for what is no host */
export function hostOf(header: string | undefined): string | null {
  // A user or a path in it would let the parser see another host than the one that was asked for.
  if (header === undefined || !/^[\w.:[\]-]{1,300}$/.test(header)) return null;
  if (!URL.canParse(`http://${header}`)) return null;
  return new URL(`http://${header}`).hostname.replace(/^\[|\]$/g, '');
}

const held = new WeakSet<Socket>();

/**
 * Reserves a connection for an answer that may never end. A second such request on the same connection is cut off,
 * because nothing can be sent behind the first answer.
 * @returns a signal that is aborted when the client has disconnected or the answer is complete; null when the connection
 * is cut
 */
export function holdConnection(request: FastifyRequest, reply: FastifyReply): AbortSignal | null {
  const { socket } = request.raw;
  if (held.has(socket)) {
    reply.hijack();
    socket.destroy();
    return null;
  }
  held.add(socket);
  const gone = new AbortController();
  const release = (): void => {
    held.delete(socket);
    reply.raw.off('close', release);
    socket.off('close', release);
    gone.abort();
  };
  reply.raw.once('close', release);
  socket.once('close', release);
  return gone.signal;
}
