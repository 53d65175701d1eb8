import { pino, type Logger, type LevelWithSilent } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { escapeEvent, escapeJson, withMessagesOnOneLine } from './log-text.js';

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
 * One line an event: JSON, or for a person at a terminal. Secrets are redacted, and no text in an event can begin a
 * line of its own or change what a terminal shows.
 * @param options.about what is added to every line, for example which request is being answered
 * @param options.toStderr keeps standard output for what a command was asked for
 */
export function createLogger(options: {
  level: LevelWithSilent;
  format: 'json' | 'pretty';
  about?: () => object;
  toStderr?: boolean;
}): Logger {
  const { about } = options;
  const destination = pino.destination({ dest: options.toStderr === true ? 2 : 1, sync: true });
  const settings = {
    level: options.level,
    base: null,
    // A copy, because pino writes the fields of the line into it, which would stand in the next line too.
    ...(about === undefined ? {} : { mixin: () => ({ ...about() }) }),
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), censor: '[redacted]' },
    serializers: { err: options.format === 'json' ? serializeError : serializeOnOneLine },
  };
  const shape = options.format === 'json' ? escapeJson : createPrettifier();
  return pino(settings, {
    write: (line) => {
      destination.write(shape(line));
    },
  });
}

/** A pool adds the lost client to its error. That is the state of a whole session, with the key that cancels its queries. */
function serializeError(error: Error & { readonly client?: unknown }): pino.SerializedError {
  const serialized = pino.stdSerializers.err(error);
  delete serialized['client'];
  return serialized;
}

function serializeOnOneLine(error: Error): object {
  const serialized = serializeError(error);
  return { ...serialized, stack: withMessagesOnOneLine(serialized.stack, error) };
}

/** Formats an event for people: one line, with its fields indented below. */
export function createPrettifier(): (line: string) => string {
  const prettify = prettyFactory({
    translateTime: 'HH:MM:ss',
    ignore: 'pid,hostname',
    // Looked up by key: an object with a prototype would have one for a key such as `valueOf`.
    customPrettifiers: Object.create(null) as Record<string, never>,
  });
  return (line) => prettify(JSON.stringify(escapeEvent(JSON.parse(line))));
}
