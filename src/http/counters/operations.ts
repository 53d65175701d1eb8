import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { OperationDefinitionNode } from 'graphql';
import type { App } from '../../services/app.js';
import { ERROR_CODES, type ErrorCode } from '../../domain/errors.js';
import { codeIn, type FormattedErrors } from '../graphql/answers.js';
import { currentRecord, recordOf, type Outcome } from '../observability/record.js';
import { operationLabel } from './operation-names.js';

/** A request whose operation is not known, because it was refused before, or has none. */
const UNKNOWN = { operation: 'unnamed', type: 'none' } as const;

/** The gravest code of an answer, by its HTTP status. */
function codeOf(errors: FormattedErrors): ErrorCode | 'OK' {
  let gravest: ErrorCode | 'OK' = 'OK';
  for (const { extensions } of errors) {
    const code = codeIn(extensions);
    if (gravest === 'OK' || ERROR_CODES[code] > ERROR_CODES[gravest]) gravest = code;
  }
  return gravest;
}

const outcomeOf = (
  operation: OperationDefinitionNode | null | undefined,
  errors: FormattedErrors,
): Outcome => ({
  ...(operation == null
    ? UNKNOWN
    : { operation: operationLabel(operation.name?.value), type: operation.operation }),
  code: codeOf(errors),
});

/** Stores the outcome under which the answer to the current request is counted. */
export function noteAnswer(
  operation: OperationDefinitionNode | null | undefined,
  errors: FormattedErrors,
): void {
  const record = currentRecord();
  if (record !== null) record.outcome = outcomeOf(operation, errors);
}

/** An operation that was answered. */
interface Answered {
  readonly outcome: Outcome;
  /** Null when its body was not received. */
  readonly seconds: number | null;
}

/** Counts and times the operations that are answered at once. */
export function countOperations(door: FastifyInstance, { metrics }: App): void {
  const noteAnswered = metrics.inBatches(({ outcome, seconds }: Answered) => {
    metrics.operations.inc({ ...outcome });
    if (seconds !== null)
      metrics.operationSeconds.observe({ operation: outcome.operation }, seconds);
  });
  door.addHook('preValidation', (request, _reply, done) => {
    const record = recordOf(request);
    if (record !== null) record.receivedAtMs = performance.now();
    done();
  });
  door.addHook('onSend', (request, { statusCode }, _payload, done) => {
    if (request.method !== 'OPTIONS') {
      const { outcome = null, receivedAtMs = null } = recordOf(request) ?? {};
      noteAnswered({
        outcome: outcome ?? { ...UNKNOWN, code: statusCode < 400 ? 'OK' : 'BAD_USER_INPUT' },
        seconds: receivedAtMs === null ? null : (performance.now() - receivedAtMs) / 1000,
      });
    }
    done();
  });
}

/** Keeps the code of a request that was refused before its operation was executed. */
export function noteRefused(request: FastifyRequest, code: ErrorCode): void {
  const record = recordOf(request);
  if (record !== null) record.outcome = { ...UNKNOWN, code };
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
