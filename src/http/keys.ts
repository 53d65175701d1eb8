import type { FastifyInstance } from 'fastify';
import type { App } from '../services/app.js';

/** Publishes the public keys of access tokens and of anchors as a JSON Web Key Set (RFC 7517). */
export function serveKeys(server: FastifyInstance, app: App): void {
  server.get('/.well-known/jwks.json', async (_request, reply) => {
    // A new key is published a minute before it signs.
    void reply.header('cache-control', 'public, max-age=30').type('application/jwk-set+json');
    const keys = [await app.keys.publicKeys(), await app.anchorKeys.publicKeys()].flat();
    return JSON.stringify({ keys });
  });
}
