import { isIP } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../../services/app.js';
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
    isKept: () => isFromSameSite(app, request),
    read: () => request.cookies[name] ?? null,
    write: (token, expiresAt) =>
      void reply.setCookie(name, token, { ...options, expires: expiresAt }),
    clear: () => void reply.clearCookie(name, options),
  };
}

/**
 * Whether the browser keeps a SameSite=Strict cookie of the answer. It does so unless a page of another site has sent the
 * request, which browsers since 2023 say in Sec-Fetch-Site. For older ones, the last two labels of a host are its site.
 * This takes some hosts for one site that are not, but then the browser discards the cookie.
 */
function isFromSameSite(app: App, request: FastifyRequest): boolean {
  const { origin, host, 'sec-fetch-site': site } = request.headers;
  if (site !== undefined) return site !== 'cross-site';
  // The request comes from no page, or from one of the same origin.
  if (origin === undefined) return true;
  const scheme = isSecure(app, request) ? 'https' : 'http';
  return [app.publicUrl(), `${scheme}://${host ?? ''}`].some((own) => isSameSite(origin, own));
}

function isSameSite(one: string, other: string): boolean {
  if (!URL.canParse(one) || !URL.canParse(other)) return false;
  const [a, b] = [new URL(one), new URL(other)];
  // The protocol of equal hosts is not compared, because a proxy may have terminated TLS without a header that says so.
  if (a.hostname === b.hostname) return true;
  return a.protocol === b.protocol && siteOf(a.hostname) === siteOf(b.hostname);
}

function siteOf(hostname: string): string {
  const isAddress = isIP(hostname) !== 0 || hostname.startsWith('[');
  return isAddress ? hostname : hostname.split('.').slice(-2).join('.');
}
