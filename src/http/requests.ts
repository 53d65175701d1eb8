import { AsyncLocalStorage } from 'node:async_hooks';
import { isIP } from 'node:net';
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../app.js';

/** The request that is being answered, for whoever is not told: the formatter of errors. */
export const currentRequest = new AsyncLocalStorage<{ readonly requestId: string }>();

/**
 * Where a request comes from. Some proxies tell the port as well, which is another one each time; and what is no
 * address was made up by whoever asks, so that only the proxy's own is known.
 */
export function addressOf({ ip, socket }: FastifyRequest): string | null {
  const [, six, four] = /^(?:\[(.+)\](?::\d+)?|([\d.]+):\d+)$/.exec(ip) ?? [];
  const address = six ?? four ?? ip;
  return isIP(address) === 0 ? (socket.remoteAddress ?? null) : address;
}

/** The token that came along, whatever it is worth. */
export const bearerOf = ({ headers }: FastifyRequest): string | undefined =>
  /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];

/** Over TLS, up to us or to a proxy that is believed, or to one that PUBLIC_URL tells of. */
export const isSecure = (app: Pick<App, 'publicUrl'>, { protocol }: FastifyRequest): boolean =>
  protocol === 'https' || app.publicUrl().startsWith('https:');

/**
 * From this machine itself, as such: what a proxy on this machine passes on is not, nor what a page asks for whose
 * name leads here (DNS rebinding).
 */
export function isFromHere({ headers, socket }: FastifyRequest): boolean {
  const passedOn = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some(
    (name) => headers[name] !== undefined,
  );
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return !passedOn && isLoopback(address) && isOwnName(headers.host);
}

const isLoopback = (address: string): boolean =>
  address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));

function isOwnName(host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(`http://${host}`)) return false;
  const name = new URL(`http://${host}`).hostname.replace(/^\[|\]$/g, '');
  return isLoopback(name) || name === 'localhost';
}

const held = new WeakSet<Socket>();

/**
 * For an answer that may never end: behind it nothing else can be answered on its connection, so that whoever asks
 * for a second one there is cut off.
 * @returns aborted when the other side has gone, or all is said; null when the connection is cut
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
