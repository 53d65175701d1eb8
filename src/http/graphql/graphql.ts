import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginLandingPageDisabled } from '@apollo/server/plugin/disabled';
import fastifyApollo, { fastifyApolloDrainPlugin } from '@as-integrations/fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { App } from '../../services/app.js';
import { busy, DomainError, unauthenticated } from '../../domain/errors.js';
import { createContext, type Context, type RequestFacts } from '../../resolvers/context.js';
import { createSchema } from '../../resolvers/schema.js';
import { currentWork } from '../../services/observing/current.js';
import { identifyViewer, type Viewer } from '../../services/sessions/viewer.js';
import { sayError, VALIDATION_OPTIONS } from './answers.js';
import {
  checkedVariables,
  eventsElsewhere,
  limitedAnswers,
  statusOfErrors,
} from './apollo-plugins.js';
import { allowOrigins } from './cross-origin.js';
import { refuseCrossSiteRequests } from './cross-site.js';
import { limitDocuments } from './documents.js';
import { serveEventStreams } from './event-streams.js';
import { refreshCookie } from './refresh-cookie.js';
import { awaitTurn } from '../admission/admission.js';
import { operationTraces } from '../observing/operations.js';
import { countedAnswers, countOperations } from '../counting/operations.js';
import { addressOf, bearerOf } from '../requests.js';

/** Answers GraphQL at /graphql. */
export async function serveGraphql(server: FastifyInstance, app: App): Promise<void> {
  const schema = createSchema();
  const apollo = new ApolloServer<Context>({
    schema,
    introspection: app.config.introspection,
    // A suggestion would reveal names that introspection hides.
    hideSchemaDetailsFromClientErrors: !app.config.introspection,
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    // A document that is sent as a hash could not be measured.
    persistedQueries: false,
    validationOptions: VALIDATION_OPTIONS,
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    formatError: (formatted, error) => sayError(app, formatted, error),
    plugins: [
      ApolloServerPluginLandingPageDisabled(),
      fastifyApolloDrainPlugin(server),
      limitedAnswers(app),
      statusOfErrors,
      eventsElsewhere,
      checkedVariables(app),
      ...operationTraces(),
      countedAnswers,
    ],
  });
  await apollo.start();
  await server.register(async (door) => {
    countOperations(door, app);
    await allowOrigins(door, app);
    refuseCrossSiteRequests(door);
    limitDocuments(door, schema);
    serveEventStreams(door, app, schema, (request, reply, gone) =>
      factsOf(app, request, reply, gone),
    );
    door.addHook('preHandler', awaitTurn);
    await door.register(fastifyApollo(apollo), {
      path: '/graphql',
      method: ['GET', 'POST', 'OPTIONS'],
      context: async (request, reply) => createContext(await factsOf(app, request, reply, UNHEARD)),
    });
  });
}

/** Never aborted, because queries and mutations run to their end even if the client has disconnected. */
const UNHEARD = new AbortController().signal;

async function factsOf(
  app: App,
  request: FastifyRequest,
  reply: FastifyReply,
  signal: AbortSignal,
): Promise<RequestFacts> {
  const identified = await identify(app, request);
  const refused = identified instanceof DomainError ? identified : null;
  const viewer = identified instanceof DomainError ? null : identified;
  const current = currentWork.getStore();
  if (current !== undefined && viewer !== null) current.viewerId = viewer.userId;
  return {
    app,
    signal,
    requestId: request.id,
    viewer,
    refused,
    device: {
      userAgent: request.headers['user-agent']?.slice(0, 500) ?? null,
      ipAddress: addressOf(request),
    },
    refreshCookie: refreshCookie(app, request, reply),
  };
}

/** @returns null without a token; a refusal concerns only the fields that need a token */
async function identify(app: App, request: FastifyRequest): Promise<Viewer | DomainError | null> {
  if (request.headers.authorization === undefined) return null;
  const token = bearerOf(request);
  if (token === undefined)
    return unauthenticated(
      'The Authorization header must be “Bearer”, a space and an access token.',
    );
  try {
    return await identifyViewer(app, token);
  } catch (error) {
    return error instanceof DomainError ? error : busy(error);
  }
}
