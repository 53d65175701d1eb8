import { pino, type Logger, type LevelWithSilent } from 'pino';
import pinoPretty from 'pino-pretty';

export type { Logger };

const SECRETS = [
  'password',
  'token',
  'refreshToken',
  'accessToken',
  'authorization',
  'cookie',
  'email',
];

/**
 * One line an event on standard output: JSON, or for a person at a terminal. What a person keeps secret
 * never reaches it.
 */
export function createLogger(options: {
  level: LevelWithSilent;
  format: 'json' | 'pretty';
}): Logger {
  const settings = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
  };
  if (options.format === 'json') return pino(settings);
  return pino(
    settings,
    pinoPretty({ sync: true, translateTime: 'HH:MM:ss', ignore: 'pid,hostname' }),
  );
}
