import { pino, type LevelWithSilent } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { escapeEvent, escapeJson, withMessagesOnOneLine } from './log-text.js';
import { inBursts, type Lines } from './logging/bursts.js';
import type { Logger } from './logging/events.js';
import { redact, redactMessageOfLine } from './logging/redact.js';

export type { Logger };

/**
 * One line an event: JSON, or for a person at a terminal. Secrets are redacted, and no text in an event can begin a
 * line of its own or change what a terminal shows.
 * @param options.about what is added to every line, for example which request is being answered
 * @param options.toStderr keeps standard output for what a command was asked for
 * @param options.atExit has a function called when the process ends. With it, JSON lines of a burst are collected for a
 * moment; lines at level error and fatal are written at once, with those before them
 */
export function createLogger(options: {
  level: LevelWithSilent;
  format: 'json' | 'pretty';
  about?: () => object;
  toStderr?: boolean;
  atExit?: (flush: () => void) => void;
}): Logger {
  const { about, atExit } = options;
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
      logMethod([line, message], log, level) {
        log.apply(this, message === undefined ? [line] : [line, redactMessageOfLine(message)]);
        if (level >= ERROR) lines.flush();
      },
    },
  };
  const shape = options.format === 'json' ? escapeJson : createPrettifier();
  const lines = linesTo(destination, options.format === 'json' ? atExit : undefined);
  return pino(settings, {
    write: (line) => {
      lines.write(shape(line));
    },
  });
}

const ERROR = pino.levels.values['error'] ?? 50;

function linesTo(
  destination: { write(text: string): unknown },
  atExit: ((flush: () => void) => void) | undefined,
): Lines {
  const write = (text: string): void => {
    destination.write(text);
  };
  if (atExit === undefined) return { write, flush: () => undefined };
  const lines = inBursts(write);
  atExit(() => {
    lines.flush();
  });
  return lines;
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
