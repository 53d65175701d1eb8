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
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type FormattedExecutionResult,
  type GraphQLFormattedError,
  type GraphQLSchema,
} from 'graphql';
import pLimit from 'p-limit';
import type { App } from '../../app.js';
import { createContext, type RequestFacts } from '../../resolvers/context.js';
import { MOST_ERRORS, sayError, statusOf, type FormattedErrors } from './answers.js';

/** An operation as it was asked for. */
export interface Operation {
  readonly query?: string | undefined;
  readonly operationName?: string | null | undefined;
  readonly variables?: Record<string, unknown> | null | undefined;
}

/** Why a subscription was not opened. */
export interface Refusal {
  readonly errors: FormattedErrors;
  readonly status: number;
}

/** Events are told a few at a time: a change that many follow must not hold up what others ask. */
const turn = pLimit(2);

/** Of what GraphQL itself refuses. */
const BAD_REQUEST = 400;

/**
 * Opens a subscription: what it refuses is answered with errors as they leave every other door, and otherwise
 * every event is executed with a context of its own, so that nothing is remembered from one to the next.
 */
export async function openSubscription(
  app: App,
  schema: GraphQLSchema,
  facts: RequestFacts,
  operation: Operation,
): Promise<AsyncGenerator<FormattedExecutionResult> | Refusal> {
  const format = formatter(app);
  const document = parseOperation(operation.query ?? '');
  const refusals =
    document instanceof GraphQLError ? [document] : check(app, schema, document, operation);
  if (document instanceof GraphQLError || refusals.length > 0)
    return refuse(refusals.map((error) => format(error, 'GRAPHQL_VALIDATION_FAILED')));
  const args: ExecutionArgs = {
    schema,
    document,
    operationName: operation.operationName ?? null,
    variableValues: operation.variables ?? null,
    contextValue: createContext(facts),
  };
  const source = await createSourceEventStream(args);
  if (Symbol.asyncIterator in source) return results(source, args, facts, format);
  return refuse((source.errors ?? []).map((error) => format(error, 'BAD_USER_INPUT')));
}

/** What has a path was refused by the subscription itself, and has the status of its code. */
const refuse = (errors: FormattedErrors): Refusal => ({
  errors,
  status: Math.max(
    statusOf(errors),
    errors.some(({ path }) => path === undefined) ? BAD_REQUEST : 0,
  ),
});

function parseOperation(query: string): DocumentNode | GraphQLError {
  try {
    return parse(query);
  } catch (error) {
    if (error instanceof GraphQLError) return error;
    throw error;
  }
}

function check(
  app: App,
  schema: GraphQLSchema,
  document: DocumentNode,
  { operationName }: Operation,
): readonly GraphQLError[] {
  const operation = getOperationAST(document, operationName)?.operation;
  if (operation !== OperationTypeNode.SUBSCRIPTION)
    return [new GraphQLError('Only subscriptions are answered as events.')];
  const { introspection } = app.config;
  const rules = introspection
    ? specifiedRules
    : [...specifiedRules, NoSchemaIntrospectionCustomRule];
  return validate(schema, document, rules, { maxErrors: MOST_ERRORS });
}

type Format = (error: GraphQLError, code?: string) => GraphQLFormattedError;

/** @returns formats errors; `code` is of those that GraphQL itself refuses, where there is no cause of ours */
const formatter =
  (app: App): Format =>
  (error, code) => {
    const refused = code !== undefined && error.originalError == null;
    return sayError(
      app,
      { ...error.toJSON(), ...(refused ? { extensions: { code } } : {}) },
      error,
    );
  };

async function* results(
  source: AsyncIterable<unknown>,
  args: ExecutionArgs,
  facts: RequestFacts,
  format: Format,
): AsyncGenerator<FormattedExecutionResult> {
  try {
    for await (const rootValue of source) {
      const contextValue = createContext(facts);
      const result = await turn(async () => execute({ ...args, rootValue, contextValue }));
      yield withErrors(result, format);
    }
  } catch (error) {
    // What ends a subscription from our side, such as the end of the session.
    const last =
      error instanceof GraphQLError
        ? error
        : new GraphQLError('', { originalError: error as Error });
    yield { errors: [format(last)] };
  }
}

const withErrors = (
  { data, errors }: ExecutionResult,
  format: Format,
): FormattedExecutionResult => ({
  ...(data === undefined ? {} : { data }),
  ...(errors === undefined ? {} : { errors: errors.map((error) => format(error)) }),
});
