import { z } from 'zod';
import { ConfigError } from './config-error.js';
import { wholeNumber } from './value-types.js';

const token = z.string().min(16, 'at least 16 characters');

export const metricsVariables = {
  METRICS_PORT: wholeNumber(0, 65_535).optional(),
  METRICS_TOKEN: token.optional(),
  METRICS_PREVIOUS_TOKEN: token.optional(),
};

export interface MetricsConfig {
  /** The port of the metrics server. Null: the API serves /metrics to this machine and to clients with the token. */
  readonly port: number | null;
  /** The tokens that are accepted; none: no token is needed at `port`. */
  readonly tokens: readonly string[];
}

/** @throws ConfigError */
export function metricsOf(env: z.infer<z.ZodObject<typeof metricsVariables>>): MetricsConfig {
  const { METRICS_PORT: port, METRICS_TOKEN: current, METRICS_PREVIOUS_TOKEN: previous } = env;
  if (current === undefined && previous !== undefined)
    throw new ConfigError(
      'METRICS_TOKEN is not set, but METRICS_PREVIOUS_TOKEN is the token that it replaces.',
    );
  return {
    port: port ?? null,
    tokens: [current, previous].filter((one) => one !== undefined),
  };
}
