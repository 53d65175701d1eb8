import { z } from 'zod';
import { ConfigError } from './config-error.js';
import { flag, url, withoutLastSlashes } from './value-types.js';

/** OpenTelemetry's own variables, as far as this server knows them. */
export const tracingVariables = {
  OTEL_EXPORTER_OTLP_ENDPOINT: url(['http:', 'https:']).transform(withoutLastSlashes).optional(),
  OTEL_EXPORTER_OTLP_HEADERS: z
    .string()
    .max(4_000, 'at most 4000 characters')
    .transform((value, context) => headersIn(value) ?? notHeaders(context))
    .optional(),
  OTEL_SERVICE_NAME: z
    .string()
    .regex(/^[\w.-]{1,100}$/, 'a name')
    .default('talebank'),
  OTEL_TRACES_SAMPLER: z
    .enum([
      'always_on',
      'always_off',
      'traceidratio',
      'parentbased_always_on',
      'parentbased_always_off',
      'parentbased_traceidratio',
    ])
    .default('parentbased_always_on'),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .regex(/^(?:[01]|[01]?\.\d{1,9})$/, 'a part between 0 and 1, for example 0.1')
    .transform(Number)
    .refine((part) => part <= 1, 'a part between 0 and 1, for example 0.1')
    .optional(),
  TRUST_TRACEPARENT: flag.default(false),
};

export interface TracingConfig {
  /** Where traces are sent, as OTLP over HTTP. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly serviceName: string;
  /** The part of the traces that are recorded, of those that begin here, 0 to 1. */
  readonly sampled: number;
  /** Whether requests belong to the trace of an incoming `traceparent`, and its sampled flag decides. */
  readonly trustsParent: boolean;
}

type TracingEnvironment = z.infer<z.ZodObject<typeof tracingVariables>>;

/** @returns null when tracing is off */
export function tracingOf(env: TracingEnvironment): TracingConfig | null {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_TRACES_SAMPLER: sampler } = env;
  const part = env.OTEL_TRACES_SAMPLER_ARG;
  if (part !== undefined && !sampler.endsWith('traceidratio'))
    throw new ConfigError(
      `OTEL_TRACES_SAMPLER_ARG is ${String(part)}, but OTEL_TRACES_SAMPLER is ${sampler}, which has no argument: set OTEL_TRACES_SAMPLER to parentbased_traceidratio.`,
    );
  if (endpoint === undefined) return null;
  const partOf: Readonly<Record<typeof sampler, number>> = {
    always_on: 1,
    always_off: 0,
    traceidratio: part ?? 1,
    parentbased_always_on: 1,
    parentbased_always_off: 0,
    parentbased_traceidratio: part ?? 1,
  };
  return {
    url: `${endpoint}/v1/traces`,
    headers: env.OTEL_EXPORTER_OTLP_HEADERS ?? {},
    serviceName: env.OTEL_SERVICE_NAME,
    sampled: partOf[sampler],
    trustsParent: env.TRUST_TRACEPARENT && sampler.startsWith('parentbased_'),
  };
}

/** Headers as names and values in percent encoding, for example `authorization=Bearer%20abc,x-team=tales`. */
function headersIn(text: string): Record<string, string> | null {
  const headers: Record<string, string> = {};
  for (const pair of text.split(',')) {
    const [name = '', value] = pair.split(/=(.*)/s, 2).map((part) => part.trim());
    if (!/^[\w-]{1,100}$/.test(name) || value === undefined) return null;
    try {
      headers[name] = decodeURIComponent(value);
    } catch {
      return null;
    }
    // What a header can hold.
    if (/[^\u0020-\u007e]/.test(headers[name])) return null;
  }
  return headers;
}

function notHeaders(context: z.core.$RefinementCtx): never {
  context.addIssue({ code: 'custom', message: 'headers, for example x-team=tales,x-key=abc' });
  return z.NEVER;
}
