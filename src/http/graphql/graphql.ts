import { ApolloServer, type ApolloServerPlugin } from '@apollo/server';
import { ApolloServerPluginLandingPageDisabled } from '@apollo/server/plugin/disabled';
import fastifyApollo, { fastifyApolloDrainPlugin } from '@as-integrations/fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { GraphQLError, OperationTypeNode } from 'graphql';
import type { App } from '../../app.js';
import { busy, DomainError } from '../../domain/errors.js';
import { createContext, type Context, type RequestFacts } from '../../resolvers/context.js';
import { createSchema } from '../../resolvers/schema.js';
import { identifyViewer, type Viewer } from '../../services/sessions/viewer.js';
import { MOST_ERRORS, sayError, statusOf, waitOf } from './answers.js';
import { allowOrigins } from './cross-origin.js';
import { limitDocuments } from './document-limits.js';
import { serveEventStreams } from './event-streams.js';
import { refreshCookie } from './refresh-cookie.js';
import { addressOf, bearerOf } from '../requests.js';

/** Answers GraphQL at /graphql. */
export async function serveGraphql(server: FastifyInstance, app: App): Promise<void> {
  const schema = createSchema();
  const apollo = new ApolloServer<Context>({
    schema,
    introspection: app.config.introspection,
    // A field's suggestion would give away what introspection hides.
    hideSchemaDetailsFromClientErrors: !app.config.introspection,
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    // What is known by its hash alone could not be measured.
    persistedQueries: false,
    validationOptions: { maxErrors: MOST_ERRORS },
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    formatError: (formatted, error) => sayError(app, formatted, error),
    plugins: [
      ApolloServerPluginLandingPageDisabled(),
      fastifyApolloDrainPlugin(server),
      statusOfErrors,
      eventsElsewhere,
    ],
  });
  await apollo.start();
  await server.register(async (door) => {
    await allowOrigins(door, app);
    limitDocuments(door, schema);
    serveEventStreams(door, app, schema, (request, reply, gone) =>
      factsOf(app, request, reply, gone),
    );
    await door.register(fastifyApollo(apollo), {
      path: '/graphql',
      method: ['GET', 'POST', 'OPTIONS'],
      context: async (request, reply) => createContext(await factsOf(app, request, reply, UNHEARD)),
    });
  });
}

/** Whoever asks once is answered, whether or not they are still there. */
const UNHEARD = new AbortController().signal;

async function factsOf(
  app: App,
  request: FastifyRequest,
  reply: FastifyReply,
  signal: AbortSignal,
): Promise<RequestFacts> {
  const identified = await identify(app, bearerOf(request));
  const refused = identified instanceof DomainError ? identified : null;
  return {
    app,
    signal,
    requestId: request.id,
    viewer: identified instanceof DomainError ? null : identified,
    refused,
    device: {
      userAgent: request.headers['user-agent']?.slice(0, 500) ?? null,
      ipAddress: addressOf(request),
    },
    refreshCookie: refreshCookie(app, request, reply),
  };
}

/** @returns null without a token; a refusal is kept for the fields that need one, for others go on */
async function identify(app: App, token: string | undefined): Promise<Viewer | DomainError | null> {
  if (token === undefined) return null;
  try {
    return await identifyViewer(app, token);
  } catch (error) {
    return error instanceof DomainError ? error : busy(error);
  }
}

/**
 * GraphQL over HTTP (6.4.1): who accepts application/json and not the newer type takes any other status for a
 * failure of something on the way, and does not read what was refused.
 */
const knowsOnlyJson = (accept: string | undefined): boolean =>
  accept !== undefined &&
  accept.includes('application/json') &&
  !/application\/graphql-response\+json|\*\/\*/.test(accept);

/** What an answer says beside its body. */
const statusOfErrors: ApolloServerPlugin<Context> = {
  requestDidStart: () =>
    Promise.resolve({
      willSendResponse: ({ request, response }) => {
        if (response.body.kind !== 'single') return Promise.resolve();
        const errors = response.body.singleResult.errors ?? [];
        const gravest = statusOf(errors);
        if (gravest > 200) response.http.status = gravest;
        else if (knowsOnlyJson(request.http?.headers.get('accept'))) response.http.status = 200;
        for (const [name, value] of Object.entries(waitOf(errors)))
          response.http.headers.set(name, value);
        // What one person may see is nobody else's, and some of it is secret.
        response.http.headers.set('cache-control', 'no-store');
        return Promise.resolve();
      },
    }),
};

/** What is followed cannot be answered at once. */
const eventsElsewhere: ApolloServerPlugin<Context> = {
  requestDidStart: () =>
    Promise.resolve({
      didResolveOperation: ({ operation }) =>
        operation?.operation === OperationTypeNode.SUBSCRIPTION
          ? Promise.reject(
              new GraphQLError(
                'A subscription is answered as server-sent events: ask with Accept: text/event-stream.',
                { extensions: { code: 'BAD_REQUEST', http: { status: 400 } } },
              ),
            )
          : Promise.resolve(),
    }),
};
