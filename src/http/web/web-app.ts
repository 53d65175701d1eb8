import { existsSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { App } from '../../services/app.js';
import { createCoverOrigins } from '../../services/stories/cover-origins.js';
import { serveDemoAccounts } from './demo-accounts.js';
import { isNavigation, takesHtml } from './navigation.js';
import { pagePolicy, workerPolicy, type Outside } from './policy.js';

const YEAR_SECONDS = 31_536_000;
const COMPRESSED = /\.(?:br|gz)$/;

/**
 * Serves the web app at `/` from the files that `npm run build` made. Each file has a route of its own, so that no path
 * can lead out of the folder. A file whose name has a hash may be kept for ever, and all others are revalidated. Requests
 * without a route are answered here: a browser that opens a page of the app gets it, and any other client a 404.
 */
export async function serveWebApp(
  server: FastifyInstance,
  app: App,
  { folder }: { folder: string },
): Promise<void> {
  const isServed = app.config.web && isBuilt(app, folder);
  server.setNotFoundHandler((request, reply) =>
    isServed && isNavigation(request)
      ? sendPage(reply)
      : reply.code(404).send({ error: 'There is nothing here.' }),
  );
  if (app.config.web) serveDemoAccounts(server, app);
  if (isServed) await serveBuilt(server, app, folder);
}

function isBuilt(app: App, folder: string): boolean {
  if (existsSync(join(folder, 'index.html'))) return true;
  app.log.warn(
    { event: 'web-app-not-built' },
    'the web app is not built: run `npm run build`, or set WEB=false',
  );
  return false;
}

async function serveBuilt(server: FastifyInstance, app: App, folder: string): Promise<void> {
  const covers = createCoverOrigins(app);
  const outside = (): Outside => ({
    publicOrigin: new URL(app.publicUrl()).origin,
    coverOrigins: covers.current(),
  });
  await server.register(fastifyStatic, {
    root: folder,
    wildcard: false,
    index: false,
    globIgnore: ['**/*.br', '**/*.gz'],
    preCompressed: true,
    cacheControl: false,
    acceptRanges: false,
    dotfiles: 'ignore',
    setHeaders: (reply, path) => {
      setHeaders(reply, relative(folder, path).replaceAll(sep, '/'), outside());
    },
  });
  server.get('/', { exposeHeadRoute: true }, (request, reply) => {
    if (takesHtml(request)) return sendPage(reply);
    reply.callNotFound();
    return reply;
  });
}

/** Proxies must not give the page to a client that asks for JSON. */
const sendPage = (reply: FastifyReply): FastifyReply =>
  reply.header('vary', 'accept').sendFile('index.html');

function setHeaders(reply: Pick<FastifyReply, 'header'>, sent: string, outside: Outside): void {
  const name = sent.replace(COMPRESSED, '');
  const lasting = name.startsWith('assets/');
  void reply.header(
    'cache-control',
    lasting ? `public, max-age=${String(YEAR_SECONDS)}, immutable` : 'no-cache',
  );
  if (name.endsWith('.html')) void reply.header('content-security-policy', pagePolicy(outside));
  if (name.endsWith('.js') && !lasting)
    void reply.header('content-security-policy', workerPolicy(outside));
}
