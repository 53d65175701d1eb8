import type { App } from '../../services/app.js';
import type { Budget, BudgetBounds, Hold } from './budget.js';
import type { Connection } from './connections.js';
import { UNREAD_BOUNDS } from './bounds.js';

/** An answer in memory that its client has not taken yet. */
interface UnreadAnswer {
  readonly connection: Connection;
  readonly hold: Hold;
  readonly takenBytes: () => number;
  readonly sinceMs: number;
  /** When the rate was last measured, and how many bytes had been taken then. */
  checkedMs: number;
  checkedBytes: number;
}

type Reason = 'slow' | 'deadline' | 'room';

export interface UnreadAnswers {
  /**
   * Counts an answer until it is taken. Older answers are cut off if there is no room for it.
   * @param takenBytes how many of its bytes the client has taken so far
   * @returns ends the counting; idempotent
   */
  add(connection: Connection, address: string, bytes: number, takenBytes: () => number): () => void;
  /** Cuts off answers that are taken too slowly, and streams whose unsent bytes are beyond the bounds. */
  sweep(connections: Iterable<Connection>): void;
}

/**
 * Counts the answers that clients have not taken, and cuts off clients that take too long.
 * @param now a clock that never goes back, in milliseconds
 */
export function createUnreadAnswers(
  app: Pick<App, 'metrics'>,
  answers: Budget,
  bounds: BudgetBounds,
  now: () => number,
): UnreadAnswers {
  const unread = createUnreadSet();

  function cutOff(connection: Connection, reason: Reason): void {
    if (connection.socket.destroyed) return;
    app.metrics.answersCutOff.inc({ reason });
    connection.socket.destroy();
  }

  return {
    add: (connection, address, bytes, takenBytes) => {
      answers.makeRoomWithin(address, bytes);
      answers.makeRoomForExisting(bytes);
      const hold = answers.hold(address, bytes, () => {
        cutOff(connection, 'room');
      });
      const sinceMs = now();
      const checked = { checkedMs: sinceMs, checkedBytes: 0 };
      return unread.add({ connection, hold, takenBytes, sinceMs, ...checked });
    },
    sweep: (connections) => {
      let unsentBytes = 0;
      for (const answer of unread.all) {
        const reason = reasonToCutOff(answer, now());
        if (reason !== null) cutOff(answer.connection, reason);
        unsentBytes += answer.hold.bytes;
      }
      const streams = [...connections].filter(
        (one) => one.socket.writableLength > 0 && !unread.hasOneOf(one),
      );
      unsentBytes += cutOffStreams(streams, answers, bounds, (one) => {
        cutOff(one, 'room');
      });
      app.metrics.unsentBytes.set(unsentBytes);
    },
  };
}

interface UnreadSet {
  readonly all: ReadonlySet<UnreadAnswer>;
  /** Whether an answer of the connection is in memory. Its unsent bytes are in the budget already. */
  hasOneOf(connection: Connection): boolean;
  /** @returns removes the answer and releases its bytes; idempotent */
  add(answer: UnreadAnswer): () => void;
}

function createUnreadSet(): UnreadSet {
  const all = new Set<UnreadAnswer>();
  const countOf = new Map<Connection, number>();
  return {
    all,
    hasOneOf: (connection) => countOf.has(connection),
    add: (answer) => {
      const { connection, hold } = answer;
      all.add(answer);
      countOf.set(connection, (countOf.get(connection) ?? 0) + 1);
      return () => {
        if (!all.delete(answer)) return;
        hold.release();
        const others = (countOf.get(connection) ?? 1) - 1;
        if (others === 0) countOf.delete(connection);
        else countOf.set(connection, others);
      };
    },
  };
}

/** The rate is measured once in each window, because a client may pause for less than that. */
function reasonToCutOff(answer: UnreadAnswer, nowMs: number): 'slow' | 'deadline' | null {
  if (nowMs - answer.sinceMs > UNREAD_BOUNDS.durationMsMax) return 'deadline';
  const elapsedMs = nowMs - answer.checkedMs;
  if (elapsedMs < UNREAD_BOUNDS.windowMs) return null;
  const takenBytes = answer.takenBytes();
  const bytesPerSecond = ((takenBytes - answer.checkedBytes) / elapsedMs) * 1000;
  answer.checkedMs = nowMs;
  answer.checkedBytes = takenBytes;
  return bytesPerSecond < UNREAD_BOUNDS.bytesPerSecondMin ? 'slow' : null;
}

/**
 * A stream has little in memory, but one event may be long. If the streams of an address, or all streams, are beyond
 * the bounds, those with the most unsent bytes are cut off.
 * @returns the unsent bytes of the streams that stay
 */
function cutOffStreams(
  streams: Connection[],
  answers: Budget,
  { addressBytesMax, bytesMax }: BudgetBounds,
  cutOff: (connection: Connection) => void,
): number {
  const bytesOf = new Map<string, number>();
  let total = 0;
  const ascending = streams.sort((a, b) => a.socket.writableLength - b.socket.writableLength);
  for (const connection of ascending) {
    const { writableLength } = connection.socket;
    const own = (bytesOf.get(connection.client) ?? 0) + writableLength;
    const fits =
      own + answers.bytesOf(connection.client) <= addressBytesMax &&
      total + writableLength + answers.bytes() <= bytesMax;
    if (!fits) {
      cutOff(connection);
      continue;
    }
    total += writableLength;
    bytesOf.set(connection.client, own);
  }
  return total;
}
