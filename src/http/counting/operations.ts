import type { ApolloServerPlugin } from '@apollo/server';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { OperationDefinitionNode } from 'graphql';
import type { App } from '../../services/app.js';
import { ERROR_CODES, type ErrorCode } from '../../domain/errors.js';
import type { Context } from '../../resolvers/context.js';
import { currentWork } from '../../services/observing/current.js';
import type { FormattedErrors } from '../graphql/answers.js';
import { operationLabel } from './operation-names.js';

/** What an answer is counted as. */
interface Outcome {
  readonly operation: string;
  readonly type: string;
  readonly code: ErrorCode | 'OK';
}

/** A request whose operation is not known, because it was refused before, or has none. */
const UNKNOWN = { operation: 'unnamed', type: 'none' } as const;

const outcomes = new WeakMap<object, Outcome>();
const begun = new WeakMap<FastifyRequest, number>();

/** The gravest code of an answer, by its HTTP status. */
function codeOf(errors: FormattedErrors): ErrorCode | 'OK' {
  const codes = errors.map(({ extensions }) => asCode(extensions?.['code']));
  return codes.reduce<ErrorCode | 'OK'>(
    (gravest, code) =>
      gravest === 'OK' || ERROR_CODES[code] > ERROR_CODES[gravest] ? code : gravest,
    'OK',
  );
}

/** Every error has one of our codes, after it was formatted. */
const asCode = (code: unknown): ErrorCode =>
  typeof code === 'string' && Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'INTERNAL';

const outcomeOf = (
  operation: OperationDefinitionNode | null | undefined,
  errors: FormattedErrors,
): Outcome => ({
  ...(operation == null
    ? UNKNOWN
    : { operation: operationLabel(operation.name?.value), type: operation.operation }),
  code: codeOf(errors),
});

/** Keeps what the answer to the current request is counted as. It is the last plugin, because others change errors. */
export const countedAnswers: ApolloServerPlugin<Context> = {
  requestDidStart: () =>
    Promise.resolve({
      willSendResponse: ({ operation, response: { body } }) => {
        const current = currentWork.getStore();
        const errors = body.kind === 'single' ? (body.singleResult.errors ?? []) : [];
        if (current !== undefined) outcomes.set(current, outcomeOf(operation, errors));
        return Promise.resolve();
      },
    }),
};

/** Counts and times the operations that are answered at once. */
export function countOperations(door: FastifyInstance, { metrics }: App): void {
  door.addHook('preValidation', (request, _reply, done) => {
    begun.set(request, performance.now());
    done();
  });
  door.addHook('onSend', (request, { statusCode }, _payload, done) => {
    if (request.method === 'OPTIONS') {
      done();
      return;
    }
    const current = currentWork.getStore();
    const outcome = outcomes.get(request) ??
      (current === undefined ? undefined : outcomes.get(current)) ?? {
        ...UNKNOWN,
        code: statusCode < 400 ? 'OK' : 'BAD_USER_INPUT',
      };
    metrics.operations.inc({ ...outcome });
    const startedAt = begun.get(request);
    if (startedAt !== undefined)
      metrics.operationSeconds.observe(
        { operation: outcome.operation },
        (performance.now() - startedAt) / 1000,
      );
    done();
  });
}

/** Keeps the code of a request that was refused before its operation was executed. */
export function noteRefused(request: FastifyRequest, code: ErrorCode): void {
  outcomes.set(request, { ...UNKNOWN, code });
}

/** Counts a subscription that was opened, or refused with these errors. */
export function countSubscription(
  { metrics }: App,
  name: string | null,
  errors: FormattedErrors,
): void {
  metrics.operations.inc({
    operation: operationLabel(name),
    type: 'subscription',
    code: codeOf(errors),
  });
}
