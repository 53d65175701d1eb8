import {
  HeaderMap,
  type ApolloServerPlugin,
  type GraphQLRequestContextWillSendResponse,
} from '@apollo/server';
import { getOperationAST, GraphQLError, OperationTypeNode } from 'graphql';
import type { App } from '../../services/app.js';
import { answerTooLarge, isAnswerTooLarge } from '../../resolvers/documents/answer-size.js';
import type { Context } from '../../resolvers/context.js';
import { checkVariables } from '../../resolvers/documents/variables.js';
import { noteAnswer } from '../counters/operations.js';
import { sayRefusal, statusOf, waitOf } from './answers.js';

/**
 * GraphQL over HTTP (6.4.1): a client that accepts application/json but not the newer type takes any status except 200
 * for a failure of the network, and does not read the errors.
 */
const knowsOnlyJson = (accept: string | undefined): boolean =>
  accept !== undefined &&
  accept.includes('application/json') &&
  !/application\/graphql-response\+json|\*\/\*/.test(accept);

/**
 * Refuses wrong variables before graphql-js coerces them, whose messages take long to make. What is refused here has
 * no data, so that GraphQL over HTTP (6.4.1) asks for 400.
 */
export const checkedVariables = (app: App): ApolloServerPlugin<Context> => ({
  requestDidStart: () =>
    Promise.resolve({
      responseForOperation: ({ document, request, schema }) => {
        // The operation may be missing although its type excludes that: Apollo Server refuses an unknown name later.
        const operation = getOperationAST(document, request.operationName);
        if (operation == null) return Promise.resolve(null);
        const { variables, errors } = checkVariables(schema, operation, request.variables ?? {});
        request.variables = variables;
        if (errors.length === 0) return Promise.resolve(null);
        const said = errors.map((error) => sayRefusal(app, error, 'BAD_USER_INPUT'));
        return Promise.resolve({
          http: { status: 400, headers: new HeaderMap() },
          body: { kind: 'single', singleResult: { errors: said } },
        });
      },
    }),
});

type Answer = GraphQLRequestContextWillSendResponse<Context>;
type SingleAnswer = Extract<Answer['response']['body'], { kind: 'single' }>;

/**
 * Bounds an answer, sets its status and headers, and stores the outcome under which it is counted. It is one plugin,
 * because each plugin costs time in every request.
 */
export const finishedAnswers = (app: App): ApolloServerPlugin<Context> => {
  const listener = {
    willSendResponse: (answer: Answer) => {
      const { body } = answer.response;
      if (body.kind === 'single') {
        limitAnswer(app, answer, body);
        setStatus(answer, body.singleResult);
      }
      noteAnswer(answer.operation, body.kind === 'single' ? (body.singleResult.errors ?? []) : []);
      return Promise.resolve();
    },
  };
  return { requestDidStart: () => Promise.resolve(listener) };
};

/**
 * Replaces the answer of a query that is larger than ANSWER_CHARACTERS_MAX, before it becomes one text. The parts that
 * were within the bound are not sent either, because they may be megabytes. The answers of
 * mutations are bounded in advance, because they must not be lost.
 */
function limitAnswer(app: App, { operation }: Answer, body: SingleAnswer): void {
  if (operation?.operation !== OperationTypeNode.QUERY) return;
  const { singleResult } = body;
  const isRefused = singleResult.errors?.some(
    ({ extensions }) => extensions?.['code'] === 'QUERY_TOO_COMPLEX',
  );
  if (isRefused === true || isAnswerTooLarge(singleResult))
    body.singleResult = {
      errors: [sayRefusal(app, new GraphQLError('', { originalError: answerTooLarge() }))],
    };
}

/** Sets the status of the gravest error of an answer without data, and the headers that every answer has. */
function setStatus(
  { request, response: { http } }: Answer,
  { errors = [], data }: SingleAnswer['singleResult'],
): void {
  const gravest = statusOf(errors, data);
  if (gravest > 200) http.status = gravest;
  else if (knowsOnlyJson(request.http?.headers.get('accept'))) http.status = 200;
  for (const [name, value] of Object.entries(waitOf(errors))) http.headers.set(name, value);
  // Answers must not be cached, because they hold private data and tokens.
  http.headers.set('cache-control', 'no-store');
}

/** Refuses subscriptions where queries and mutations are answered, because a single answer cannot carry events. */
export const eventsElsewhere: ApolloServerPlugin<Context> = {
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
