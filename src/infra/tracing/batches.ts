import type { Span } from './span.js';
import { isTracing, recordingSpan, traced, tracedForAll } from './tracing.js';

/** The spans of the requests that wait for a batch. */
const waiting = new WeakMap<object, Span>();

/** Runs a request of a batch as a span, which lasts until its answer. */
export const tracedRequest = <Result>(
  request: object,
  work: () => Promise<Result>,
): Promise<Result> =>
  traced('ledger command', {}, () => {
    const span = recordingSpan();
    if (span !== null) waiting.set(request, span);
    return work();
  });

/**
 * Runs a batch below the span of its first recorded request, and linked to the others, because it runs in the context of
 * the request that happened to begin it, which may not be recorded.
 */
export const tracedBatch = <Result>(
  requests: readonly object[],
  work: () => Promise<Result>,
): Promise<Result> =>
  isTracing()
    ? tracedForAll(
        'ledger batch',
        requests.flatMap((request) => waiting.get(request) ?? []),
        work,
      )
    : work();
