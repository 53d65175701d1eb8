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
 * One line an event: JSON, or for a person at a terminal. What a person keeps secret never reaches it.
 * @param options.about what is added to every line, for example which request is being answered
 * @param options.toStderr keeps standard output for what a command was asked for
 */
export function createLogger(options: {
  level: LevelWithSilent;
  format: 'json' | 'pretty';
  about?: () => object;
  toStderr?: boolean;
}): Logger {
  const destination = options.toStderr === true ? 2 : 1;
  const settings = {
    level: options.level,
    base: null,
    ...(options.about === undefined ? {} : { mixin: options.about }),
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
  };
  if (options.format === 'json') {
    return pino(settings, pino.destination({ dest: destination, sync: true }));
  }
  return pino(
    settings,
    pinoPretty({ sync: true, destination, translateTime: 'HH:MM:ss', ignore: 'pid,hostname' }),
  );
}
