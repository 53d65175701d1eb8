import { setTimeout as sleep } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { App } from '../app.js';
import { countBusyConnections, type Lane, type Page } from './maintenance.sql.js';

/** The result of a task. */
export interface TaskOutcome {
  /** The number of lots, users and so on that it checked. */
  readonly processed: number;
  /** The number of those that it changed. */
  readonly changed: number;
}

/** The pause of a task that gives way, as a multiple of the duration of its last batch. */
const PAUSE_FACTOR = 3;
const PAUSE_MS_MAX = 2_000;
/** The pause between two looks at the database. */
const LOOK_AGAIN_MS = 20;

const pauseAfter = (batchMs: number): number => Math.min(PAUSE_MS_MAX, batchMs * PAUSE_FACTOR);

/**
 * Called by a background task between two batches. While any process uses the database for other work, the task pauses,
 * so that it runs for a quarter of the time. While the database is idle, it continues at once.
 */
export async function giveWay(app: Pick<App, 'db'>, batchStartedAt: number): Promise<void> {
  const batchMs = performance.now() - batchStartedAt;
  if ((await countBusyConnections(app.db)) > 0) await sleep(pauseAfter(batchMs));
}

/**
 * Whether other work uses the database. It looks twice, because one statement between two others is not worth a change
 * of pace, and neither is a moment without any.
 * @param wasBusy the result when the two looks differ
 * @param ownConnections the number of connections that the task itself may use now
 */
async function isBusyBesides(
  app: Pick<App, 'db'>,
  wasBusy: boolean,
  ownConnections: () => number,
): Promise<boolean> {
  let looksBusy = 0;
  for (let look = 1; look <= 2; look += 1) {
    if (look > 1) await sleep(LOOK_AGAIN_MS);
    const before = ownConnections();
    const busy = await countBusyConnections(app.db);
    // The connection that counts is not counted.
    if (busy >= Math.max(before, ownConnections())) looksBusy += 1;
    else if (look === 1 && !wasBusy) return false;
  }
  return looksBusy === 2 || (wasBusy && looksBusy === 1);
}

/** While Postgres writes the batch of one lane, this process decides that of another. */
const LANES = 3;
/** Bounds the memory of a batch, and the duration of its transaction. */
const ROWS_IN_A_BATCH = 500;

/** A walk over everything that a task changes. */
export interface Walk<Row> {
  /** Reads the next page: in order, the first `limit` rows of the lane after the given one. */
  readonly read: (wanted: {
    readonly after: Row | null;
    readonly limit: number;
    readonly lane: Lane;
  }) => Promise<Page<Row>>;
  /** Settles the rows of a page. @returns the number of those that it changed */
  readonly settle: (rows: readonly Row[]) => Promise<number>;
}

/**
 * Walks in several lanes at the same time. Each lane has accounts of its own, so an account is in one transaction at a
 * time. While any process uses the database for other work, only one lane runs, and it pauses between its batches.
 * @param signal stops all lanes between two batches
 * @throws the first error of a lane, after the others have finished the batches that they had begun
 */
export async function walkInLanes<Row>(
  app: Pick<App, 'db'>,
  signal: AbortSignal | undefined,
  walk: Walk<Row>,
): Promise<TaskOutcome> {
  const outcome = { processed: 0, changed: 0 };
  const stopping = new AbortController();
  const stop = AbortSignal.any([stopping.signal, ...(signal === undefined ? [] : [signal])]);
  const oneAtATime = pLimit(1);
  let awake = 0;
  let isBusy = false;

  /** @returns the row after which the lane continues, or null at its end; and for how long it pauses before */
  const settlePage = async (lane: Lane, after: Row | null): Promise<[Row | null, number]> => {
    awake += 1;
    try {
      const startedAt = performance.now();
      const { rows, next } = await walk.read({ after, limit: ROWS_IN_A_BATCH, lane });
      stop.throwIfAborted();
      if (rows.length > 0) {
        // Not `+= await`, which would lose what other lanes count meanwhile.
        const changed = await walk.settle(rows);
        outcome.changed += changed;
        outcome.processed += rows.length;
      }
      if (next === null) return [null, 0];
      const batchMs = performance.now() - startedAt;
      const isBusyNow = await isBusyBesides(app, isBusy, () => awake);
      isBusy = isBusyNow;
      return [next, isBusyNow ? pauseAfter(batchMs) : 0];
    } finally {
      awake -= 1;
    }
  };
  const walkLane = async (lane: Lane): Promise<void> => {
    const at: { after: Row | null; pauseMs: number } = { after: null, pauseMs: 0 };
    const step = async (): Promise<void> => {
      stop.throwIfAborted();
      if (at.pauseMs > 0) await sleep(at.pauseMs);
      stop.throwIfAborted();
      [at.after, at.pauseMs] = await settlePage(lane, at.after);
    };
    do await (at.pauseMs > 0 ? oneAtATime(step) : step());
    while (at.after !== null);
  };
  await Promise.all(
    Array.from({ length: LANES }, async (_, number) => {
      try {
        await walkLane({ number, of: LANES });
      } catch (error) {
        stopping.abort(error);
      }
    }),
  );
  stopping.signal.throwIfAborted();
  return outcome;
}
