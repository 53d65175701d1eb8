import type { FastifyInstance } from 'fastify';
import type { App } from '../../services/app.js';
import { demoAccountsOf } from '../../services/seed.js';
import { isFromHere } from '../requests.js';

/**
 * Serves the accounts that the sign-in page offers as buttons, as JSON. The list is empty in production, without the
 * demo seed, and for clients on other machines. It is empty rather than missing, because a browser reports each 404 as
 * an error.
 */
export function serveDemoAccounts(server: FastifyInstance, app: App): void {
  server.get('/demo-accounts.json', { exposeHeadRoute: true }, (request, reply) => {
    void reply.header('cache-control', 'no-store');
    return { accounts: isFromHere(request) ? demoAccountsOf(app.config) : [] };
  });
}
