import type { SpanContext } from '@opentelemetry/api';

/** A `traceparent` of W3C Trace Context. A later version may add parts at the end. */
const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/;
const SAMPLED = 1;

/** @returns null for what is none */
export function readTraceparent(header: string): SpanContext | null {
  const [, traceId, spanId, flags] = TRACEPARENT.exec(header.slice(0, 100)) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return null;
  return { traceId, spanId, traceFlags: parseInt(flags, 16) & SAMPLED, isRemote: true };
}

/**
 * The header `traceparent` of a span (W3C Trace Context, version 00). Of the flags, only the one for a sampled trace is
 * sent.
 */
export const writeTraceparent = ({
  traceId,
  spanId,
  traceFlags,
}: Pick<SpanContext, 'traceId' | 'spanId' | 'traceFlags'>): string =>
  `00-${traceId}-${spanId}-${(traceFlags & SAMPLED) === SAMPLED ? '01' : '00'}`;
