import { AsyncLocalStorage } from 'node:async_hooks';
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';

/** The request that is being answered, for whoever is not told: the formatter of errors. */
export const currentRequest = new AsyncLocalStorage<{ readonly requestId: string }>();

/** From this machine itself: what a proxy on this machine passes on is not. */
export function isFromHere({ headers, socket }: FastifyRequest): boolean {
  const passedOn = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'].some(
    (name) => headers[name] !== undefined,
  );
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return !passedOn && (address === '::1' || (isIP(address) === 4 && address.startsWith('127.')));
}
