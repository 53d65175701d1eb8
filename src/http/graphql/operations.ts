import type { FastifyRequest } from 'fastify';
import {
  getOperationAST,
  Kind,
  OperationTypeNode,
  parse,
  type DocumentNode,
  type SelectionSetNode,
} from 'graphql';
import { badUserInput } from '../../domain/errors.js';

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const askedOf = ({ method, body, query }: FastifyRequest): unknown =>
  method === 'POST' ? body : query;

/** That it is an operation at all. @throws BAD_USER_INPUT */
export function assertOperation(request: FastifyRequest): void {
  const asked = askedOf(request);
  if (!isRecord(asked)) throw badUserInput('body', 'must be one operation, as a JSON object');
  if (typeof asked['query'] !== 'string') throw badUserInput('query', 'must be a document');
  if (request.method !== 'POST') return;
  for (const field of ['variables', 'extensions'])
    if (asked[field] != null && !isRecord(asked[field]))
      throw badUserInput(field, 'must be an object');
  const name = asked['operationName'];
  if (name != null && typeof name !== 'string')
    throw badUserInput('operationName', 'must be a name');
}

/** Whether a request asks to follow something, whatever else is wrong with it. */
export function isSubscription(request: FastifyRequest): boolean {
  const asked = askedOf(request);
  if (!isRecord(asked) || typeof asked['query'] !== 'string') return false;
  const name = asked['operationName'];
  try {
    const document = parse(asked['query']);
    const operation = getOperationAST(document, typeof name === 'string' ? name : null);
    return operation?.operation === OperationTypeNode.SUBSCRIPTION;
  } catch {
    return false;
  }
}

/**
 * GraphQL leaves open what a subscription without a field is, and its library stumbles over one.
 * @throws BAD_USER_INPUT for a subscription that may be left out by @skip or @include
 */
export function refuseConditionalSubscriptions({ definitions }: DocumentNode): void {
  const isConditional = ({ selections }: SelectionSetNode, seen: readonly string[]): boolean =>
    selections.some((selection) => {
      if (selection.directives?.some(({ name }) => /^(?:skip|include)$/.test(name.value)))
        return true;
      if (selection.kind === Kind.INLINE_FRAGMENT)
        return isConditional(selection.selectionSet, seen);
      if (selection.kind === Kind.FIELD || seen.includes(selection.name.value)) return false;
      const { value } = selection.name;
      return definitions.some(
        (fragment) =>
          fragment.kind === Kind.FRAGMENT_DEFINITION &&
          fragment.name.value === value &&
          isConditional(fragment.selectionSet, [...seen, value]),
      );
    });
  for (const definition of definitions)
    if (
      definition.kind === Kind.OPERATION_DEFINITION &&
      definition.operation === OperationTypeNode.SUBSCRIPTION &&
      isConditional(definition.selectionSet, [])
    )
      throw badUserInput('query', 'a subscription must not depend on @skip or @include');
}
