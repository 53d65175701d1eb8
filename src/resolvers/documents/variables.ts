import {
  coerceInputValue,
  getNullableType,
  GraphQLError,
  isEnumType,
  isInputType,
  isListType,
  isNonNullType,
  print,
  typeFromAST,
  type GraphQLInputType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type VariableDefinitionNode,
} from 'graphql';
import { refusalMessage } from '../refusal-message.js';

/** How many errors an answer has at most of those that GraphQL finds before it executes anything. */
export const ERRORS_MAX = 10;

/** Thrown to end the coercion, because graphql-js goes on after an error. */
class EnoughErrors extends Error {}

/** Variables as they are executed, or why they are refused. */
export interface CheckedVariables {
  /** Those that the operation declares. */
  readonly variables: Record<string, unknown>;
  /** At most ERRORS_MAX; none when all variables fit their types. */
  readonly errors: readonly GraphQLError[];
}

/** As many as the longest list needs, that of the rows of a bulk grant. A list of an enum's names is a set. */
const LIST_LENGTH_MAX = 10_000;

/**
 * Checks the variables of a valid operation as execution does afterwards. graphql-js describes each wrong value as a
 * whole, once for every error in it, which takes seconds for a large one; here errors say only where they are.
 * @param given within the bounds of `refuseLargeJson`
 */
export function checkVariables(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  given: Readonly<Record<string, unknown>>,
): CheckedVariables {
  const variables: Record<string, unknown> = {};
  const errors: GraphQLError[] = [];
  const report = (error: GraphQLError): void => {
    errors.push(error);
    if (errors.length === ERRORS_MAX) throw new EnoughErrors();
  };
  try {
    for (const definition of operation.variableDefinitions ?? []) {
      const type = typeFromAST(schema, definition.type);
      if (!isInputType(type)) continue;
      const name = definition.variable.name.value;
      if (Object.hasOwn(given, name)) variables[name] = asSet(given[name], type);
      checkVariable(definition, type, variables, report);
    }
  } catch (error) {
    if (!(error instanceof EnoughErrors)) throw error;
  }
  return { variables, errors };
}

/** Removes duplicates from a list of enum values, because such a list is used as a set. */
const asSet = (value: unknown, type: GraphQLInputType): unknown =>
  Array.isArray(value) && isEnumType(itemTypeOf(type)) ? [...new Set<unknown>(value)] : value;

/** @returns undefined when the type is no list */
function itemTypeOf(type: GraphQLInputType): GraphQLInputType | undefined {
  const list = getNullableType(type);
  return isListType(list) ? getNullableType(list.ofType) : undefined;
}

function checkVariable(
  definition: VariableDefinitionNode,
  type: GraphQLInputType,
  variables: Readonly<Record<string, unknown>>,
  report: (error: GraphQLError) => void,
): void {
  const name = definition.variable.name.value;
  const refuse = (message: string): void => {
    report(new GraphQLError(`Variable "$${name}" ${message}`, { nodes: definition }));
  };
  const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
  if (value === undefined) {
    if (isNonNullType(type) && definition.defaultValue === undefined)
      refuse(`of required type "${print(definition.type)}" was not provided.`);
    return;
  }
  if (value === null) {
    if (isNonNullType(type))
      refuse(`of non-null type "${print(definition.type)}" must not be null.`);
    return;
  }
  if (Array.isArray(value) && value.length > LIST_LENGTH_MAX) {
    refuse(`must have at most ${LIST_LENGTH_MAX.toLocaleString('en')} different items.`);
    return;
  }
  coerceInputValue(value, type, (path, _value, error) => {
    const place = path.length === 0 ? '' : ` at "${name}${path.map(stepOf).join('')}"`;
    refuse(`got an invalid value${place}; ${refusalMessage(error)}`);
  });
}

const stepOf = (step: string | number): string =>
  typeof step === 'number' ? `[${String(step)}]` : `.${step}`;
