import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { codeOf } from '../../domain/errors.js';
import { isSqlState } from './sql-states.js';

/*
 * A network, a pooler or a machine may stop forwarding without closing a connection. Then the answer to a statement never
 * comes, and the kernel reports that after a quarter of an hour, or never. A statement that takes long looks the same, so
 * a time-out would end work that has to wait. Therefore the database is asked on a new connection:
 *
 * WAITING
 *   Entered: when a statement was sent.
 *   Ends: idle, when its answer is complete; OVERDUE, when no byte has moved for SILENT_MS.
 * OVERDUE
 *   Ends: WAITING, when a byte moves, or the database works on the statement or refuses the probe; ABANDONED, when it does
 *   not work on the statement, or does not answer two probes in PROBE_TIMEOUT_MS each.
 *   Bound: the next question is asked after twice the time, at most SILENT_MS_MAX, because each costs a connection.
 * ABANDONED
 *   The connection is destroyed, its statements fail as BUSY, and the pool opens another one when it needs it.
 */
const LOOK_EVERY_MS = 1_000;
const SILENT_MS = 5_000;
const SILENT_MS_MAX = 60_000;
export const PROBE_TIMEOUT_MS = 4_000;
/** A timer that is later than this shows that the event loop stood still, and an answer may have come meanwhile. */
const STALL_MS = 500;
/** An answer may be on its way when the database says that it has finished. */
const ON_ITS_WAY_MS = 500;

/** A connection that may wait for an answer. */
export interface Connection {
  /** The process of Postgres that works for it. */
  readonly backendId: number;
  isWaiting(): boolean;
  /** The bytes that were received and sent, because a long statement takes time on its way to the database. */
  bytesMoved(): number;
  /** Destroys it. Its statements fail with the error. */
  abandon(error: Error): void;
}

interface Silence {
  readonly bytes: number;
  readonly since: number;
  readonly allowedMs: number;
}

/**
 * Abandons connections whose answer is lost.
 * @param options.createProbe makes a client with which the database can be asked
 * @param options.isOver ends the watch
 */
export function abandonSilent(options: {
  readonly connections: ReadonlySet<Connection>;
  readonly createProbe: () => pg.Client;
  readonly onAbandoned: (error: Error) => void;
  readonly isOver: () => boolean;
}): void {
  const { connections, createProbe, onAbandoned, isOver } = options;
  const silences = new WeakMap<Connection, Silence>();
  let isAsking = false;

  const overdue = (): Connection[] => {
    const now = performance.now();
    return [...connections].filter((connection) => {
      if (!connection.isWaiting()) return silences.delete(connection) && false;
      const bytes = connection.bytesMoved();
      const known = silences.get(connection);
      if (known?.bytes === bytes) return now - known.since >= known.allowedMs;
      silences.set(connection, { bytes, since: now, allowedMs: SILENT_MS });
      return false;
    });
  };

  const ask = async (asked: readonly Connection[]): Promise<void> => {
    const before = new Map(asked.map((connection) => [connection, silences.get(connection)]));
    const backendIds = asked.map(({ backendId }) => backendId);
    // Two, because a database or a process that is busy for seconds may miss one.
    let working = await findWorking(createProbe(), backendIds);
    if (working === UNREACHED) working = await findWorking(createProbe(), backendIds);
    await sleep(ON_ITS_WAY_MS);
    for (const [connection, silence] of before) {
      const isSilent = connection.isWaiting() && connection.bytesMoved() === silence?.bytes;
      if (!isSilent) continue;
      const { bytes, since, allowedMs } = silence;
      const longerMs = Math.min(SILENT_MS_MAX, 2 * allowedMs);
      if (working === REFUSED)
        silences.set(connection, { bytes, since: performance.now(), allowedMs: SILENT_MS });
      else if (working !== UNREACHED && working.has(connection.backendId))
        silences.set(connection, { bytes, since, allowedMs: performance.now() - since + longerMs });
      else {
        const error = noAnswer();
        connection.abandon(error);
        onAbandoned(error);
      }
    }
  };

  const timer = setInterval(() => {
    if (isOver()) {
      clearInterval(timer);
      return;
    }
    const asked = overdue();
    if (isAsking || asked.length === 0) return;
    isAsking = true;
    void ask(asked).finally(() => {
      isAsking = false;
    });
  }, LOOK_EVERY_MS).unref();
}

/** The state of a session is missing where the server does not track it; then the session is taken for working. */
const WORKING = `SELECT pid FROM pg_stat_activity
  WHERE pid = ANY($1::int[]) AND (state IS NULL OR state NOT LIKE 'idle%')`;

/** The database answers that it takes no connection, or this process was too busy to notice an answer: no proof. */
const REFUSED = Symbol('refused');
/** The database does not answer in time, or cannot be reached. */
const UNREACHED = Symbol('unreached');

/** Asks which processes of Postgres work on a statement. */
async function findWorking(
  probe: pg.Client,
  backendIds: readonly number[],
): Promise<ReadonlySet<number> | typeof REFUSED | typeof UNREACHED> {
  const over = new AbortController();
  const startedAt = performance.now();
  const late = sleep(PROBE_TIMEOUT_MS, null, { signal: over.signal }).then(() =>
    performance.now() - startedAt > PROBE_TIMEOUT_MS + STALL_MS ? REFUSED : UNREACHED,
  );
  late.catch(() => undefined);
  const ask = async (): Promise<ReadonlySet<number>> => {
    await probe.connect();
    const { rows } = await probe.query<{ pid: number }>(WORKING, [backendIds]);
    return new Set(rows.map(({ pid }) => pid));
  };
  try {
    return await Promise.race([ask(), late]);
  } catch (error) {
    const code = codeOf(error);
    return code !== undefined && isSqlState(code) ? REFUSED : UNREACHED;
  } finally {
    over.abort();
    // Not waited for: a database that hangs would not answer this either.
    void probe.end().catch(() => undefined);
  }
}

/** As the kernel reports a connection whose other side does not answer, so that it is taken for the same. */
const noAnswer = (): Error =>
  Object.assign(new Error('The database did not answer, and does not work on the statement.'), {
    code: 'ETIMEDOUT',
    errno: -constants.errno.ETIMEDOUT,
    syscall: 'read',
  });
