import type { FastifyInstance } from 'fastify';
import type { App } from '../services/app.js';

const MONTHS_GOOD = 6;

/** Serves security.txt (RFC 9116). The contact is SECURITY_CONTACT, or security@ at the host name of the API. */
export function serveSecurityContact(server: FastifyInstance, app: App): void {
  server.get('/.well-known/security.txt', (_request, reply) => {
    const url = app.publicUrl();
    const contact = app.config.http.securityContact ?? `mailto:security@${new URL(url).hostname}`;
    const now = new Date();
    const expires = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + MONTHS_GOOD));
    void reply.type('text/plain; charset=utf-8').header('cache-control', 'public, max-age=86400');
    return [
      `Contact: ${contact}`,
      `Expires: ${expires.toISOString()}`,
      'Preferred-Languages: en',
      `Canonical: ${url}/.well-known/security.txt`,
      '',
    ].join('\n');
  });
}
