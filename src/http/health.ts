import type { FastifyInstance } from 'fastify';
import type { App } from '../app.js';
import { checkReadiness } from '../services/health.js';

/** /healthz: the process is alive. /readyz: it can do its work; 503 with the reason otherwise. */
export function serveHealth(server: FastifyInstance, app: App): void {
  server.get('/healthz', () => ({ status: 'alive' }));
  server.get('/readyz', async (_request, reply) => {
    const parts = await checkReadiness(app);
    const ready = Object.values(parts).every(Boolean);
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'not ready', ...parts });
  });
}
