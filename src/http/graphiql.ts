import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/** Everything from here and nothing from elsewhere; the editor writes its own style elements. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self' blob:",
  "style-src 'self' 'unsafe-inline'",
  "font-src 'self' data:",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** GraphiQL at /graphiql, from the files that `npm run build` made. */
export async function serveGraphiql(
  server: FastifyInstance,
  options: { folder: string },
): Promise<void> {
  await server.register(fastifyStatic, {
    root: options.folder,
    prefix: '/graphiql/',
    // The web app has decorated replies.
    decorateReply: false,
    cacheControl: false,
    setHeaders: (reply, path) => {
      void reply.header('content-security-policy', POLICY);
      // The names of assets carry a hash of what is in them.
      const lasting = path.includes('assets');
      void reply.header(
        'cache-control',
        lasting ? 'public, max-age=31536000, immutable' : 'no-cache',
      );
    },
  });
  server.get('/graphiql', (_request, reply) => reply.redirect('/graphiql/'));
}
