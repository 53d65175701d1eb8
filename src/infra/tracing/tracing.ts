import { AsyncLocalStorage } from 'node:async_hooks';
import type { TracingConfig } from '../../config.js';
import type { Logger } from '../log.js';
import type { Beginning, Span, Tracer } from './span.js';

/** A place for the span that is current; the operation of a request replaces that of the request in it. */
interface Current {
  span: Span;
}

/** Null: tracing is off. One for each process, like the log. */
let tracer: Tracer | null = null;
const current = new AsyncLocalStorage<Current>();

/**
 * Starts tracing, if it is configured. The SDK is only loaded then.
 * @returns how it is stopped
 */
export async function startTracing(
  config: TracingConfig | null,
  log: Logger,
): Promise<() => Promise<void>> {
  if (config === null) return () => Promise.resolve();
  const { createTracer } = await import('./sdk.js');
  const started = createTracer(config, log);
  tracer = started;
  return async () => {
    tracer = null;
    await started.stop();
  };
}

/** Whether spans are made at all. Decorators are only put around things when they are. */
export const isTracing = (): boolean => tracer !== null;

/** The current span. Null when tracing is off, when the trace is not sampled, and outside of requests and jobs. */
export function recordingSpan(): Span | null {
  if (tracer === null) return null;
  const span = current.getStore()?.span;
  return span?.isRecording() === true ? span : null;
}

/** The ids that a line of the log has. */
export function traceIds(): { readonly traceId?: string; readonly spanId?: string } {
  if (tracer === null) return {};
  const span = current.getStore()?.span;
  return span === undefined ? {} : { traceId: span.traceId, spanId: span.spanId };
}

/** The current span, as it is passed on with a job. */
export function traceparent(): string | null {
  const span = tracer === null ? undefined : current.getStore()?.span;
  return span === undefined || tracer === null ? null : tracer.traceparentOf(span);
}

/** Begins the span of a request. Null when tracing is off. */
export const beginRequest = (
  beginning: Pick<Beginning, 'name' | 'attributes' | 'traceparent' | 'isOurs'>,
): Span | null => tracer?.begin({ ...beginning, kind: 'server' }) ?? null;

/** Begins a span below another one, which does not become the current one. When tracing has ended, the other one. */
export const beginBelow = (
  parent: Span,
  beginning: Pick<Beginning, 'name' | 'kind' | 'attributes'>,
): Span => tracer?.begin({ ...beginning, parent }) ?? parent;

/** Runs something with a span that is already begun, which it does not end. */
export const withSpan = <Result>(span: Span, work: () => Result): Result =>
  current.run({ span }, work);

/** Makes a span the current one of the request that runs. */
export function replaceSpan(span: Span): void {
  const place = current.getStore();
  if (place !== undefined) place.span = span;
}

/** Runs something as a span below the current one, or just runs it. */
export function traced<Result>(
  name: string,
  { kind, attributes }: Pick<Beginning, 'kind' | 'attributes'>,
  work: () => Promise<Result>,
): Promise<Result> {
  const parent = recordingSpan();
  if (parent === null || tracer === null) return work();
  return inside(
    tracer.begin({
      name,
      parent,
      ...(kind === undefined ? {} : { kind }),
      ...(attributes === undefined ? {} : { attributes }),
    }),
    work,
  );
}

/** Runs something that several requests wait for, below the first of their spans, and linked to the others. */
export function tracedForAll<Result>(
  name: string,
  waiting: readonly Span[],
  work: () => Promise<Result>,
): Promise<Result> {
  const [parent, ...links] = waiting;
  if (tracer === null || parent === undefined) return work();
  return inside(tracer.begin({ name, parent, links }), work);
}

/** Runs a job in the trace of the request that has asked for it, with a link to the request's span. */
export function tracedJob(
  job: { queue: string; jobId: string; retryCount: number; traceparent: string | undefined },
  work: () => Promise<void>,
): Promise<void> {
  if (tracer === null) return work();
  const { queue, jobId, retryCount } = job;
  const span = tracer.begin({
    name: `process ${queue}`,
    kind: 'consumer',
    traceparent: job.traceparent,
    isOurs: true,
    isLinked: true,
    attributes: {
      'messaging.system': 'pg-boss',
      'messaging.operation.type': 'process',
      'messaging.destination.name': queue,
      'messaging.message.id': jobId,
      'talebank.retry_count': retryCount,
    },
  });
  return inside(span, work);
}

function inside<Result>(span: Span, work: () => Promise<Result>): Promise<Result> {
  return current.run({ span }, async () => {
    try {
      const result = await work();
      span.end();
      return result;
    } catch (error) {
      span.end(error);
      throw error;
    }
  });
}
