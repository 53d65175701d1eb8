import type { Readable } from 'node:stream';
import type { Metrics } from '../metrics.js';
import { FileMissingError, type FileWriter, type Storage } from './storage.js';

type Facts = Pick<Metrics, 'storageOperations' | 'storageBytes'>;
type Operation = 'check' | 'stat' | 'read' | 'write' | 'remove' | 'list' | 'sweep';

/** The same storage, whose operations and bytes are counted. */
export function measureStorage(storage: Storage, metrics: Facts): Storage {
  const count = (operation: Operation, result: 'ok' | 'missing' | 'failed'): void => {
    metrics.storageOperations.inc({ operation, result });
  };
  const counted = async <Result>(
    operation: Operation,
    doing: () => Promise<Result>,
  ): Promise<Result> => {
    try {
      const result = await doing();
      count(operation, result === null ? 'missing' : 'ok');
      return result;
    } catch (error) {
      count(operation, error instanceof FileMissingError ? 'missing' : 'failed');
      throw error;
    }
  };
  return {
    check: () => counted('check', () => storage.check()),
    stat: (key) => counted('stat', () => storage.stat(key)),
    remove: (keys) => counted('remove', () => storage.remove(keys)),
    sweepUnfinished: (olderThan) => counted('sweep', () => storage.sweepUnfinished(olderThan)),
    read: async (key, range) => {
      const stream = await counted('read', () => storage.read(key, range));
      stream.once('error', () => {
        count('read', 'failed');
      });
      return onBytes(stream, (bytes) => {
        metrics.storageBytes.inc({ direction: 'read' }, bytes);
      });
    },
    openWriter: async (key) => {
      // A file counts once: when it is finished, or when one of its steps fails.
      const opened = await storage.openWriter(key).catch((error: unknown) => {
        count('write', 'failed');
        throw error;
      });
      return measureWriter(opened, metrics, (result) => {
        count('write', result);
      });
    },
    list: async function* () {
      try {
        yield* storage.list();
      } catch (error) {
        count('list', 'failed');
        throw error;
      }
      count('list', 'ok');
    },
    close: () => storage.close(),
  };
}

function measureWriter(
  writer: FileWriter,
  metrics: Facts,
  count: (result: 'ok' | 'failed') => void,
): FileWriter {
  let isCounted = false;
  const step = async <Result>(doing: Promise<Result>): Promise<Result> => {
    try {
      return await doing;
    } catch (error) {
      if (!isCounted) count('failed');
      isCounted = true;
      throw error;
    }
  };
  return {
    write: async (bytes) => {
      await step(writer.write(bytes));
      metrics.storageBytes.inc({ direction: 'written' }, bytes.length);
    },
    finish: async () => {
      const length = await step(writer.finish());
      if (!isCounted) count('ok');
      isCounted = true;
      return length;
    },
    abandon: () => writer.abandon(),
  };
}

/**
 * Tells the length of each part of a stream when its consumer takes it. The stream is paused first, because a listener
 * would otherwise make it flow before it has a consumer.
 */
export function onBytes(stream: Readable, tell: (bytes: number) => void): Readable {
  return stream.pause().on('data', (part: string | Uint8Array) => {
    tell(typeof part === 'string' ? Buffer.byteLength(part) : part.length);
  });
}
