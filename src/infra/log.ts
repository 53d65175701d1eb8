import { pino, type LevelWithSilent } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { escapeEvent, escapeJson, withMessagesOnOneLine } from './log-text.js';
import type { Logger } from './logging/events.js';
import { redactText } from './logging/redact-text.js';
import { redact } from './logging/redact.js';

export type { Logger };

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
  const stackOf = options.format === 'json' ? asItIs : withMessagesOnOneLine;
  const settings: pino.LoggerOptions = {
    level: options.level,
    base: null,
    // pino writes the fields of the line into it, so that `about` must return a new object each time.
    ...(about === undefined ? {} : { mixin: about }),
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: {
      level: (label) => ({ level: label }),
      log: (line) => redact(line, stackOf),
    },
    // Errors are plain objects by then.
    serializers: { err: asItIs },
    hooks: {
      logMethod([line, message], log) {
        log.apply(this, message === undefined ? [line] : [line, redactText(message)]);
      },
    },
  };
  const shape = options.format === 'json' ? escapeJson : createPrettifier();
  return pino(settings, {
    write: (line) => {
      destination.write(shape(line));
    },
  });
}

const asItIs = <Value>(value: Value): Value => value;

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
