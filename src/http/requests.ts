import { AsyncLocalStorage } from 'node:async_hooks';
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';

/** The request that is being answered, for whoever is not told: the formatter of errors. */
export const currentRequest = new AsyncLocalStorage<{ readonly requestId: string }>();

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
