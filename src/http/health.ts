import type { FastifyInstance } from 'fastify';
import type { App } from '../services/app.js';
import { BUSY_SECONDS } from './requests.js';
import { checkReadiness, type Readiness } from '../services/health/health.js';

/** /healthz: the process is alive. /readyz: it can do its work; 503 with the reason otherwise. */
export function serveHealth(server: FastifyInstance, app: App): void {
  let checking: Promise<Readiness> | undefined;
  server.get('/healthz', () => ({ status: 'alive' }));
  server.get('/readyz', async (_request, reply) => {
    // Requests that come during a check share it, because any number of strangers may ask.
    checking ??= checkReadiness(app).finally(() => {
      checking = undefined;
    });
    const parts = await checking;
    const ready = Object.values(parts).every(Boolean);
    if (!ready) void reply.code(503).header('retry-after', String(BUSY_SECONDS));
    return reply.send({ status: ready ? 'ready' : 'not ready', ...parts });
  });
}
