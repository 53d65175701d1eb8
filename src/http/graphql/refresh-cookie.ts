import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../../app.js';
import type { Context } from '../../resolvers/context.js';
import { isSecure } from '../requests.js';

/** The browser's refresh token: out of reach of scripts, and never sent from another site. */
export function refreshCookie(
  app: App,
  request: FastifyRequest,
  reply: FastifyReply,
): Context['refreshCookie'] {
  const secure = isSecure(app, request);
  // The prefix makes browsers refuse a cookie of this name from a subdomain or without TLS.
  const name = secure ? '__Host-talebank_refresh' : 'talebank_refresh';
  const options = { httpOnly: true, sameSite: 'strict', path: '/', secure } as const;
  return {
    read: () => request.cookies[name] ?? null,
    write: (token, expiresAt) =>
      void reply.setCookie(name, token, { ...options, expires: expiresAt }),
    clear: () => void reply.clearCookie(name, options),
  };
}
