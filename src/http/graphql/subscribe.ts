import {
  createSourceEventStream,
  execute,
  getOperationAST,
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  OperationTypeNode,
  parse,
  specifiedRules,
  validate,
  type ExecutionArgs,
  type ExecutionResult,
  type FormattedExecutionResult,
  type GraphQLFormattedError,
  type GraphQLSchema,
} from 'graphql';
import pLimit from 'p-limit';
import type { App } from '../../services/app.js';
import { asError, queryTooComplex } from '../../domain/errors.js';
import { createContext, type RequestFacts } from '../../resolvers/context.js';
import { checkVariables } from '../../resolvers/documents/variables.js';
import { requireSession } from '../../services/sessions/viewer.js';
import { sayRefusal, statusOf, VALIDATION_OPTIONS, type FormattedErrors } from './answers.js';
import type { ReadRequest } from './documents.js';
import { checkOperation } from './operation.js';

/** Why a subscription was not opened. */
export interface Refusal {
  readonly errors: FormattedErrors;
  readonly status: number;
}

export type Opened = AsyncGenerator<FormattedExecutionResult> | Refusal;

/** The text of a subscription is kept as long as it is open. */
const SUBSCRIPTION_LENGTH_MAX = 10_000;

/** Executes two events at a time, so that a change with many subscribers does not delay other requests. */
const turn = pLimit(2);

/** The status of errors that GraphQL itself finds. */
const BAD_REQUEST = 400;

/**
 * Opens a subscription. A refusal has errors as at every other door. Otherwise every event is executed with a context of
 * its own, so that nothing is remembered from one event to the next.
 */
export async function openSubscription(
  app: App,
  schema: GraphQLSchema,
  facts: RequestFacts,
  read: ReadRequest,
): Promise<Opened> {
  const checked = checkSubscription(app, schema, read);
  if ('errors' in checked)
    return refuse(checked.errors.map((error) => sayRefusal(app, error, 'BAD_USER_INPUT')));
  const args: ExecutionArgs = { schema, ...checked, contextValue: createContext(facts) };
  const source = await createSourceEventStream(args);
  if (Symbol.asyncIterator in source) return results(source, args, facts, app);
  return refuse((source.errors ?? []).map((error) => saySourceError(app, error)));
}

/** An error with a path comes from the subscription's own resolver, and its code decides the status. */
const refuse = (errors: FormattedErrors): Refusal => ({
  errors,
  status: Math.max(
    statusOf(errors),
    errors.some(({ path }) => path === undefined) ? BAD_REQUEST : 0,
  ),
});

/** An error of the subscription's own resolver, or one that GraphQL finds in its arguments. */
const saySourceError = (app: App, error: GraphQLError): GraphQLFormattedError =>
  sayRefusal(app, error, error.originalError == null ? 'BAD_USER_INPUT' : undefined);

/** What of a subscription is executed for each event. */
type Executed = Pick<ExecutionArgs, 'document' | 'operationName' | 'variableValues'>;

/** @throws BAD_USER_INPUT or QUERY_TOO_COMPLEX for what is no operation, or too long to be kept */
function checkSubscription(
  app: App,
  schema: GraphQLSchema,
  { asked, document }: ReadRequest,
): Executed | { readonly errors: readonly GraphQLError[] } {
  const { query, operationName, variables: given } = checkOperation(asked);
  if (query.length > SUBSCRIPTION_LENGTH_MAX)
    throw queryTooComplex('length', SUBSCRIPTION_LENGTH_MAX, query.length);
  if (document === null) return { errors: [syntaxError(query)] };
  const operation = getOperationAST(document, operationName);
  if (operation?.operation !== OperationTypeNode.SUBSCRIPTION)
    return { errors: [new GraphQLError('Only subscriptions are answered as events.')] };
  const { introspection } = app.config;
  const rules = introspection
    ? specifiedRules
    : [...specifiedRules, NoSchemaIntrospectionCustomRule];
  const invalid = validate(schema, document, rules, VALIDATION_OPTIONS);
  if (invalid.length > 0) return { errors: invalid };
  const { variables, errors } = checkVariables(schema, operation, given ?? {});
  return errors.length > 0 ? { errors } : { document, operationName, variableValues: variables };
}

/** Why a text is no GraphQL. */
function syntaxError(query: string): GraphQLError {
  try {
    parse(query);
  } catch (error) {
    if (error instanceof GraphQLError) return error;
    throw error;
  }
  throw new Error('This document was not parsed although it can be.');
}

async function* results(
  source: AsyncIterable<unknown>,
  args: ExecutionArgs,
  facts: RequestFacts,
  app: App,
): AsyncGenerator<FormattedExecutionResult> {
  try {
    for await (const rootValue of source) {
      const contextValue = createContext(await asOfNow(app, facts));
      const result = await turn(async () => execute({ ...args, rootValue, contextValue }));
      yield withErrors(app, result);
    }
  } catch (error) {
    // What ends a subscription from our side, such as the end of the session.
    const last =
      error instanceof GraphQLError
        ? error
        : new GraphQLError('', { originalError: asError(error) });
    yield { errors: [sayRefusal(app, last)] };
  }
}

/** With the role that the viewer has now, which may have changed since the subscription was opened. */
async function asOfNow(app: App, facts: RequestFacts): Promise<RequestFacts> {
  const { viewer } = facts;
  if (viewer === null) return facts;
  const { role } = await requireSession(app, viewer);
  return { ...facts, viewer: { ...viewer, role } };
}

const withErrors = (app: App, { data, errors }: ExecutionResult): FormattedExecutionResult => ({
  ...(data === undefined ? {} : { data }),
  ...(errors === undefined ? {} : { errors: errors.map((error) => sayRefusal(app, error)) }),
});
