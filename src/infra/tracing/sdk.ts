/** The only module that loads OpenTelemetry's SDK. It is imported when tracing is configured, and not before. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Link,
  type Span as SdkSpan,
  type SpanContext,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
  type SpanExporter,
} from '@opentelemetry/sdk-trace';
import type { TracingConfig } from '../../config.js';
import type { Logger } from '../log.js';
import { kindOfError } from './error-kind.js';
import { readTraceparent, writeTraceparent } from './traceparent.js';
import type { Attributes, Beginning, Span, Tracer } from './span.js';

/** How long a stop waits for the receiver. */
const FLUSH_MS = 2_000;
const EXPORT_TIMEOUT_MS = 5_000;
const EXPORT_EVERY_MS = 1_000;
/** Spans that wait for a slow receiver. Further ones are dropped. */
const WAITING_MAX = 4_096;
/** No attribute of ours is longer. */
const ATTRIBUTE_LENGTH_MAX = 1_000;

const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT, consumer: SpanKind.CONSUMER };

/** Records spans, and sends them as OTLP in JSON. Neither the start nor a span waits for the receiver. */
export function createTracer(config: TracingConfig, log: Logger): Tracer {
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': config.serviceName,
      'process.pid': process.pid,
    }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(config.sampled) }),
    spanLimits: { attributeValueLengthLimit: ATTRIBUTE_LENGTH_MAX, linkCountLimit: 256 },
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: reporting(createExporter(config), log),
        maxQueueSize: WAITING_MAX,
        maxExportBatchSize: 512,
        scheduledDelayMillis: EXPORT_EVERY_MS,
        exportTimeoutMillis: 2 * EXPORT_TIMEOUT_MS,
      }),
    ],
  });
  const tracer = provider.getTracer('talebank');
  const begin = (beginning: Beginning): Span => {
    const { name, kind, attributes, parent, links = [], isOurs = false } = beginning;
    const remote = remoteOf(beginning);
    // A stranger's span is a link only, so that neither its trace id nor its flag decides anything.
    const above = isOurs ? contextOf(remote) : ROOT_CONTEXT;
    const context = parent === undefined ? above : below(parent);
    const all = [
      ...links.map((span): Link => ({ context: sdkSpanOf(span).spanContext() })),
      ...(remote !== null && (beginning.isLinked === true || !isOurs) ? [{ context: remote }] : []),
    ];
    const span = tracer.startSpan(
      name,
      {
        kind: kind === undefined ? SpanKind.INTERNAL : KINDS[kind],
        ...(attributes === undefined ? {} : { attributes }),
        ...(all.length === 0 ? {} : { links: all }),
      },
      context,
    );
    return new RecordedSpan(span);
  };
  return {
    begin,
    traceparentOf: (span) => writeTraceparent(sdkSpanOf(span).spanContext()),
    stop: async () => {
      const flushed = provider.shutdown().catch(() => undefined);
      await Promise.race([flushed, sleep(FLUSH_MS, undefined, { ref: false })]);
    },
  };
}

/** The span of another process. */
const remoteOf = ({ traceparent }: Beginning): SpanContext | null =>
  traceparent === undefined ? null : readTraceparent(traceparent);

const contextOf = (remote: SpanContext | null): Context =>
  remote === null ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, remote);

const below = (parent: Span): Context => trace.setSpan(ROOT_CONTEXT, sdkSpanOf(parent));

function sdkSpanOf(span: Span): SdkSpan {
  if (span instanceof RecordedSpan) return span.sdkSpan;
  throw new Error('This span was begun by another tracer.');
}

class RecordedSpan implements Span {
  readonly traceId: string;
  readonly spanId: string;

  constructor(readonly sdkSpan: SdkSpan) {
    ({ traceId: this.traceId, spanId: this.spanId } = sdkSpan.spanContext());
  }

  isRecording(): boolean {
    return this.sdkSpan.isRecording();
  }

  setAttributes(attributes: Attributes): void {
    this.sdkSpan.setAttributes(attributes);
  }

  end(error?: unknown): void {
    if (error !== undefined) {
      this.sdkSpan.setAttribute('error.type', kindOfError(error));
      this.sdkSpan.setStatus({ code: SpanStatusCode.ERROR });
    }
    this.sdkSpan.end();
  }
}

const createExporter = ({ url, headers }: TracingConfig): SpanExporter =>
  new OTLPTraceExporter({
    url,
    headers: { ...headers },
    timeoutMillis: EXPORT_TIMEOUT_MS,
    concurrencyLimit: 4,
  });

const WARNED_ONCE_MS = 60_000;

/** Logs failed exports, at most once a minute. They are over then: their spans are lost. */
function reporting(exporter: SpanExporter, log: Logger): SpanExporter {
  let warnedAt = -Infinity;
  let failed = 0;
  const report = (error: unknown): void => {
    failed += 1;
    const now = performance.now();
    if (now - warnedAt < WARNED_ONCE_MS) return;
    log.warn({ event: 'traces-not-exported', refused: failed, err: error }, 'traces not exported');
    warnedAt = now;
    failed = 0;
  };
  return {
    export: (spans, done) => {
      exporter.export(spans, (result) => {
        if (result.error !== undefined) report(result.error);
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}
