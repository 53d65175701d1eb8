import type { ApolloServerPlugin } from '@apollo/server';
import { Kind, type GraphQLFormattedError, type OperationDefinitionNode } from 'graphql';
import type { Context } from '../../resolvers/context.js';
import {
  beginBelow,
  isTracing,
  recordingSpan,
  replaceSpan,
} from '../../services/observability/current-work.js';

/** More fields than this are not named. */
const FIELDS_MAX = 5;

/**
 * The fields of an operation, which are names of the schema because the operation is valid. The operation's own name is
 * left out, because a client can write anything there.
 */
function fieldsOf({ selectionSet }: OperationDefinitionNode): string {
  const names = selectionSet.selections.map((selection) =>
    selection.kind === Kind.FIELD ? selection.name.value : '…',
  );
  return [...new Set(names)].slice(0, FIELDS_MAX).join(' ');
}

/** Below the span of the request. It takes its place while the operation runs, so that everything else is below it. */
function beginOperation(operation: OperationDefinitionNode): (codes: string[]) => void {
  const above = recordingSpan();
  if (above === null) return () => undefined;
  const span = beginBelow(above, {
    name: `${operation.operation} ${fieldsOf(operation)}`,
    attributes: { 'graphql.operation.type': operation.operation },
  });
  replaceSpan(span);
  return (codes) => {
    if (!span.isRecording()) return;
    if (codes.length > 0) span.setAttributes({ 'talebank.error_codes': codes.join(' ') });
    span.end(codes.includes('INTERNAL') ? { code: 'INTERNAL' } : undefined);
    replaceSpan(above);
  };
}

const tracedOperations: ApolloServerPlugin<Context> = {
  requestDidStart: () => {
    let end: (codes: string[]) => void = () => undefined;
    return Promise.resolve({
      executionDidStart: ({ operation }) => {
        end = beginOperation(operation);
        return Promise.resolve();
      },
      willSendResponse: ({ response: { body } }) => {
        end(body.kind === 'single' ? codesOf(body.singleResult.errors ?? []) : []);
        return Promise.resolve();
      },
    });
  },
};

const codesOf = (errors: readonly GraphQLFormattedError[]): string[] => [
  ...new Set(errors.map(({ extensions }) => String(extensions?.['code']))),
];

/** The plugin that makes a span of each operation. None when tracing is off. */
export const operationTraces = (): ApolloServerPlugin<Context>[] =>
  isTracing() ? [tracedOperations] : [];
