import cors from '@fastify/cors';
import type { FastifyInstance } from 'fastify';
import type { App } from '../../app.js';

const PREFLIGHT_SECONDS = 600;

/** Lets pages of CORS_ORIGINS use what is registered on this server, with their cookies; no others. */
export async function allowOrigins(server: FastifyInstance, app: App): Promise<void> {
  const { corsOrigins } = app.config.http;
  if (corsOrigins.length === 0) return;
  await server.register(cors, {
    origin: [...corsOrigins],
    credentials: true,
    methods: ['GET', 'POST', 'OPTIONS'],
    allowedHeaders: [
      'content-type',
      'authorization',
      'apollo-require-preflight',
      'x-apollo-operation-name',
    ],
    exposedHeaders: ['retry-after'],
    maxAge: PREFLIGHT_SECONDS,
  });
}
