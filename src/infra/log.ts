import { pino, type LevelWithSilent } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { propertyOf } from '../domain/objects.js';
import { escapeEvent, escapeJson, withMessagesOnOneLine } from './log-text.js';
import { inBursts, type Bursts } from './logging/bursts.js';
import type { Logger } from './logging/events.js';
import { redact, redactMessageOfLine } from './logging/redact.js';

export type { Logger };

/**
 * One line an event: JSON, or for a person at a terminal. Secrets are redacted, and no text in an event can begin a
 * line of its own or change what a terminal shows.
 * @param options.about what is added to every line, for example which request is being answered
 * @param options.toStderr keeps standard output for what a command was asked for
 * @param options.atExit has a function called when the process ends. With it, JSON lines of a burst are collected for a
 * moment, and made and written together; lines at level error and fatal are written at once, with those before them
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
  const shape = options.format === 'json' ? escapeJson : createPrettifier();
  const text = createText((whole) => {
    destination.write(whole);
  });
  /** The event whose line is being made. */
  let current: Happened = { atMs: 0, event: '', about: {}, write: () => undefined };
  const events = eventsTo(
    (happened) => {
      for (const event of happened) {
        current = event;
        writeSafely(event);
      }
      text.flush();
    },
    options.format === 'json' ? atExit : undefined,
  );
  const settings: pino.LoggerOptions = {
    ...shapeOf(options, () => current),
    hooks: {
      logMethod([line, message], log, level) {
        events.add({
          atMs: Date.now(),
          event: propertyOf(line, 'event'),
          about: about?.() ?? {},
          write: (fields = line) => {
            log.apply(
              this,
              message === undefined ? [fields] : [fields, redactMessageOfLine(message)],
            );
          },
        });
        if (level >= ERROR) events.flush();
      },
    },
  };
  return pino(settings, {
    write: (line) => {
      text.add(shape(line));
    },
  });
}

/** What stands in a line, and in which form. */
function shapeOf(
  { level, format }: { level: LevelWithSilent; format: 'json' | 'pretty' },
  current: () => Happened,
): pino.LoggerOptions {
  const stackOf = format === 'json' ? asItIs : withMessagesOnOneLine;
  return {
    level,
    base: null,
    // pino writes the fields of the line into it, so that `about` must return a new object each time.
    mixin: () => current().about,
    timestamp: () => `,"time":"${new Date(current().atMs).toISOString()}"`,
    formatters: {
      level: (label) => ({ level: label }),
      log: (line) => redact(line, stackOf),
    },
    // Errors are plain objects by then.
    serializers: { err: asItIs },
  };
}

const ERROR = pino.levels.values['error'] ?? 50;

/** What is logged, as it was when it happened. Its line may be made a moment later. */
interface Happened {
  readonly atMs: number;
  readonly event: unknown;
  readonly about: object;
  /** Makes its line, or one with other fields. */
  readonly write: (instead?: object) => void;
}

/** Logs why the line of an event cannot be made, for example because a field throws when it is read. */
function writeSafely({ event, write }: Happened): void {
  try {
    write();
  } catch (error) {
    write({ event, err: error });
  }
}

function eventsTo(
  write: (events: readonly Happened[]) => void,
  atExit: ((flush: () => void) => void) | undefined,
): Bursts<Happened> {
  if (atExit === undefined)
    return {
      add: (event) => {
        write([event]);
      },
      flush: () => undefined,
    };
  const events = inBursts(write);
  atExit(() => {
    events.flush();
  });
  return events;
}

/** The most characters of one write. */
const CHARACTERS_MAX = 16_384;

/** Puts lines together for one write. */
function createText(write: (text: string) => void): Lines {
  let lines = '';
  const flush = (): void => {
    const text = lines;
    lines = '';
    if (text !== '') write(text);
  };
  return {
    add: (line) => {
      lines += line;
      if (lines.length >= CHARACTERS_MAX) flush();
    },
    flush,
  };
}

interface Lines {
  add(line: string): void;
  flush(): void;
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
