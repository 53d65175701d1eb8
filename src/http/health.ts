import type { FastifyInstance } from 'fastify';
import type { App } from '../app.js';
import { isDatabaseReady } from '../services/health.js';

/** /healthz: the process is alive. /readyz: it can do its work; 503 with the reason otherwise. */
export function serveHealth(server: FastifyInstance, app: App): void {
  server.get('/healthz', () => ({ status: 'alive' }));
  server.get('/readyz', async (_request, reply) => {
    const database = await isDatabaseReady(app);
    return reply
      .code(database ? 200 : 503)
      .send({ status: database ? 'ready' : 'not ready', database });
  });
}
