export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** A span that has begun. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  /** False when its trace is not sampled, and after its end: then nothing below it is recorded. */
  isRecording(): boolean;
  setAttributes(attributes: Attributes): void;
  /** Ends it. With an error, only the kind of the error is recorded, because its message may repeat values. */
  end(error?: unknown): void;
}

/** How a span begins. */
export interface Beginning {
  readonly name: string;
  readonly kind?: 'server' | 'client' | 'consumer';
  readonly attributes?: Attributes;
  /** The span above it. */
  readonly parent?: Span;
  /** Instead of `parent`: a span of another process, as W3C Trace Context writes it. Above this one if `isOurs`. */
  readonly traceparent?: string | undefined;
  /** Whether `traceparent` was written by this product or a trusted proxy. A stranger's span is a link only. */
  readonly isOurs?: boolean;
  /** Spans that it belongs to as well. */
  readonly links?: readonly Span[];
  /** Whether the span of `traceparent` is a link too. */
  readonly isLinked?: boolean;
}

export interface Tracer {
  begin(beginning: Beginning): Span;
  traceparentOf(span: Span): string;
  /** Exports what is waiting, for a bounded time. Nothing is recorded afterwards. */
  stop(): Promise<void>;
}
