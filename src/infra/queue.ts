import { PgBoss, type JobWithMetadata, type Queue as QueuePolicy } from 'pg-boss';
import type { ZodType } from 'zod';
import type { WatchedPools } from './connections/watched-pools.js';
import { asQueueDb, type Tx } from './db.js';
import type { Logger } from './log.js';
import type { Metrics } from './metrics.js';
import { runJob } from './tracing/jobs.js';
import { withOrigin, type Origin } from './tracing/origin.js';
import { openPool, hasSchema, queueDatabase } from './jobs/queue-pool.js';
import { affectedBy, retryJobs } from './jobs/redrive.js';

/** A queue, declared once: both its ends take their types from here. */
export interface QueueDeclaration<Payload extends object> {
  readonly name: string;
  /** Ids, never rows, because a job reads the current state when it runs. */
  readonly payload: ZodType<Payload>;
  readonly policy: Omit<QueuePolicy, 'name'>;
  /** Jobs of a higher priority are taken first. 0 without this function. */
  priority?(payload: Payload): number;
}

/** A delivery. `id` and `retryCount` together name it, so that an older one cannot settle the job. */
export interface Delivery<Payload> {
  readonly id: string;
  readonly retryCount: number;
  readonly payload: Payload;
  /** Aborted when the process stops or the job has run out of time. */
  readonly signal: AbortSignal;
}

export interface NewJob<Payload> {
  readonly id: string;
  readonly payload: Payload;
  readonly startAfterSeconds?: number;
  readonly origin?: Origin | undefined;
}

export interface JobQueue {
  /**
   * Enqueues with the transaction: no commit, no job. Workers take a job `startAfterSeconds` later, or at once. Without an
   * `origin`, the job names the request that is being answered.
   */
  enqueue<Payload extends object>(
    tx: Tx,
    queue: QueueDeclaration<Payload>,
    jobs: readonly NewJob<Payload>[],
  ): Promise<void>;
  /**
   * Enqueues a job by itself, unless the queue has as many waiting as it may.
   * @param options.onceFor what the queue counts its waiting jobs by; undefined for all jobs together
   */
  request(
    queueName: string,
    options?: { readonly payload: object; readonly onceFor: string },
  ): Promise<void>;
  /**
   * Completes the job in the transaction. Does nothing if the job was taken from this delivery meanwhile.
   * @returns whether this delivery still had the job
   */
  complete(
    tx: Tx,
    queueName: string,
    delivery: Pick<Delivery<unknown>, 'id' | 'retryCount'>,
  ): Promise<boolean>;
  /** Cancels a job in the transaction, whether it waits or runs. */
  cancel(tx: Tx, queueName: string, id: string): Promise<void>;
  /** Gives failed jobs one more try. @returns how many; fewer in a queue that keeps only one waiting job */
  retry(queueName: string, ids: readonly string[]): Promise<number>;
  /** Creates the queues or brings their policies up to date. */
  declare(queues: readonly Pick<QueueDeclaration<object>, 'name' | 'policy'>[]): Promise<void>;
  /** @throws when it does not answer */
  check(): Promise<void>;
  /**
   * Runs a queue's job at the times of `cron`, in UTC, once however many processes schedule it. If times were missed
   * while no worker ran, it runs once, as soon as one does.
   */
  schedule(queueName: string, cron: string): Promise<void>;
  /** Starts taking jobs. A handler that throws sends its job back to be tried again. */
  work<Payload extends object>(
    queue: QueueDeclaration<Payload>,
    options: { localConcurrency?: number; pollingSeconds?: number },
    handle: (delivery: Delivery<Payload>) => Promise<void>,
  ): Promise<void>;
  /** Stops taking jobs, waits for the ones in hand, and closes the connections. */
  close(timeoutMs: number): Promise<void>;
}

/**
 * Starts pg-boss in the same Postgres.
 * @param supervise whether this process also looks after the queues: lost heartbeats, retries, clean-up
 */
export async function openQueue(options: {
  url: string;
  poolSize: number;
  supervise: boolean;
  /** Whether the database is the coordinator of a Citus cluster, on which alone the tables of the queue are. */
  isDistributed: boolean;
  log: Logger;
  metrics: Metrics;
  pools: WatchedPools;
}): Promise<JobQueue> {
  const { metrics } = options;
  const pool = openPool(options);
  const boss = new PgBoss({
    db: queueDatabase(pool, options),
    backend: options.isDistributed ? 'citus' : 'postgres',
    createSchema: !(await hasSchema(pool)),
    supervise: options.supervise,
    schedule: options.supervise,
    superviseIntervalSeconds: 10,
    monitorIntervalSeconds: 10,
    useListenNotify: options.supervise,
    registerInstance: false,
  });
  logTroubles(boss, options.log);
  await boss.start();

  return {
    enqueue: (tx, queue, jobs) => insertJobs(boss, tx, queue, jobs),
    async request(queueName, options) {
      const payload = withOrigin(options?.payload ?? {});
      if (options === undefined) await boss.send(queueName, payload);
      else await boss.send(queueName, payload, { singletonKey: options.onceFor });
    },
    async complete(tx, queueName, { id, retryCount }) {
      const job = { id, retryCount };
      return affectedBy(await boss.complete(queueName, job, null, { db: asQueueDb(tx) })) === 1;
    },
    async cancel(tx, queueName, id) {
      await boss.cancel(queueName, id, { db: asQueueDb(tx) });
    },
    retry: (queueName, ids) => retryJobs(boss, queueName, ids),
    async declare(queues) {
      for (const queue of queues) await createOrUpdate(boss, queue);
    },
    async check() {
      await boss.schemaVersion();
    },
    async schedule(queueName, cron) {
      await boss.schedule(queueName, cron, {}, { tz: 'UTC', missed: 'once' });
    },
    async work(queue, { localConcurrency = 1, pollingSeconds = 1 }, handle) {
      // Several workers instead of pg-boss' localConcurrency, because `notifyWorker` would reach only the first of those.
      for (let count = 0; count < localConcurrency; count += 1)
        await startWorker(boss, queue, pollingSeconds, measured(metrics, queue.name, handle));
    },
    async close(timeoutMs) {
      await boss.stop({ graceful: true, timeout: timeoutMs });
      await pool.end();
    },
  };
}

function logTroubles(boss: PgBoss, log: Logger): void {
  boss.on('error', (error) => {
    log.warn({ event: 'queue-error', err: error }, 'queue error');
  });
  boss.on('warning', (warning) => {
    log.warn({ event: 'queue-warning', warning }, 'queue warning');
  });
}

async function insertJobs<Payload extends object>(
  boss: PgBoss,
  tx: Tx,
  queue: QueueDeclaration<Payload>,
  jobs: readonly NewJob<Payload>[],
): Promise<void> {
  if (jobs.length === 0) return;
  const rows = jobs.map(({ id, payload, startAfterSeconds: startAfter, origin }) => ({
    id,
    data: withOrigin(queue.payload.parse(payload), origin),
    priority: queue.priority?.(payload) ?? 0,
    ...(startAfter === undefined ? {} : { startAfter }),
  }));
  const ids = await boss.insert(queue.name, rows, { db: asQueueDb(tx), returnId: true });
  // pg-boss skips a duplicate silently, and then work that was paid for would not be done.
  if (ids?.length !== jobs.length) throw new Error(`Not every ${queue.name} job was enqueued.`);
}

/** Counts and times the deliveries of a queue. */
function measured<Payload>(
  metrics: Metrics,
  queue: string,
  handle: (delivery: Delivery<Payload>) => Promise<void>,
): (delivery: Delivery<Payload>) => Promise<void> {
  const seconds = metrics.jobSeconds.labels({ queue });
  for (const result of ['ok', 'failed']) metrics.jobs.inc({ queue, result }, 0);
  return async (delivery) => {
    const end = seconds.startTimer();
    try {
      await handle(delivery);
      metrics.jobs.inc({ queue, result: 'ok' });
    } catch (error) {
      metrics.jobs.inc({ queue, result: 'failed' });
      throw error;
    } finally {
      end();
    }
  };
}

async function startWorker<Payload extends object>(
  boss: PgBoss,
  queue: QueueDeclaration<Payload>,
  pollingSeconds: number,
  handle: (delivery: Delivery<Payload>) => Promise<void>,
): Promise<void> {
  const worker = await boss.work<object>(
    queue.name,
    {
      // Workers also poll, because notifications announce new jobs but not retries that are due.
      pollingIntervalSeconds: pollingSeconds,
      notifyPollingIntervalSeconds: pollingSeconds,
      batchSize: 1,
    },
    async (jobs) => {
      for (const job of jobs as JobWithMetadata[])
        await runJob(queue.name, job, () => handle(deliveryOf(queue, job)));
      // pg-boss waits for its polling interval after every job, so that short jobs would run at one an interval. This
      // makes the worker go on at once. After a job that failed, the pause stays.
      boss.notifyWorker(worker);
    },
  );
}

async function createOrUpdate(
  boss: PgBoss,
  { name, policy }: Pick<QueueDeclaration<object>, 'name' | 'policy'>,
): Promise<void> {
  if ((await boss.getQueue(name)) === null) {
    await boss.createQueue(name, policy);
    return;
  }
  // pg-boss fixes these when it creates the queue.
  const { policy: _policy, partition: _partition, ...changeable } = policy;
  await boss.updateQueue(name, changeable);
}

function deliveryOf<Payload extends object>(
  queue: QueueDeclaration<Payload>,
  job: Pick<JobWithMetadata, 'id' | 'retryCount' | 'data' | 'signal'>,
): Delivery<Payload> {
  return {
    id: job.id,
    retryCount: job.retryCount,
    payload: queue.payload.parse(job.data),
    signal: job.signal,
  };
}
