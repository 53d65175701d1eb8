import { PgBoss, type JobWithMetadata, type Queue as QueuePolicy } from 'pg-boss';
import type { ZodType } from 'zod';
import { asQueueDb, type Tx } from './db.js';
import type { Logger } from './log.js';

/** A queue, declared once: both its ends take their types from here. */
export interface QueueDeclaration<Payload extends object> {
  readonly name: string;
  /** Ids, never rows: what is true is read when the job runs. */
  readonly payload: ZodType<Payload>;
  readonly policy: Omit<QueuePolicy, 'name'>;
}

/** A delivery. `id` and `retryCount` together name it, so that an older one cannot settle the job. */
export interface Delivery<Payload> {
  readonly id: string;
  readonly retryCount: number;
  readonly payload: Payload;
  /** Aborted when the process stops or the job has run out of time. */
  readonly signal: AbortSignal;
}

export interface JobQueue {
  /** Enqueues with the transaction: no commit, no job. */
  enqueue<Payload extends object>(
    tx: Tx,
    queue: QueueDeclaration<Payload>,
    jobs: readonly { id: string; payload: Payload }[],
  ): Promise<void>;
  /** Completes with the transaction. A delivery that was taken from us completes nothing. */
  complete(
    tx: Tx,
    queueName: string,
    delivery: Pick<Delivery<unknown>, 'id' | 'retryCount'>,
  ): Promise<void>;
  /** Stops a job with the transaction, whether it waits or is being done. */
  cancel(tx: Tx, queueName: string, id: string): Promise<void>;
  /** Gives jobs that were given up one more try. @returns how many; fewer when one that waits is enough */
  retry(queueName: string, ids: readonly string[]): Promise<number>;
  /** Creates the queues or brings their policies up to date. */
  declare(queues: readonly Pick<QueueDeclaration<object>, 'name' | 'policy'>[]): Promise<void>;
  /** @throws when it does not answer */
  check(): Promise<void>;
  /** Runs a queue's job at the times of `cron`, in UTC, once however many processes say so. */
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
  log: Logger;
}): Promise<JobQueue> {
  const { log } = options;
  const boss = new PgBoss({
    connectionString: options.url,
    application_name: 'talebank-queue',
    max: options.poolSize,
    supervise: options.supervise,
    schedule: options.supervise,
    superviseIntervalSeconds: 10,
    monitorIntervalSeconds: 10,
    useListenNotify: options.supervise,
    registerInstance: false,
  });
  boss.on('error', (error) => {
    log.warn({ err: error }, 'queue error');
  });
  boss.on('warning', (warning) => {
    log.warn({ warning }, 'queue warning');
  });
  await boss.start();

  return {
    async enqueue(tx, queue, jobs) {
      if (jobs.length === 0) return;
      const rows = jobs.map(({ id, payload }) => ({ id, data: queue.payload.parse(payload) }));
      const ids = await boss.insert(queue.name, rows, { db: asQueueDb(tx), returnId: true });
      // A duplicate is left out without a word: then nobody would do the work that was paid for.
      if (ids?.length !== jobs.length) throw new Error(`Not every ${queue.name} job was enqueued.`);
    },
    async complete(tx, queueName, { id, retryCount }) {
      await boss.complete(queueName, { id, retryCount }, null, { db: asQueueDb(tx) });
    },
    async cancel(tx, queueName, id) {
      await boss.cancel(queueName, id, { db: asQueueDb(tx) });
    },
    retry: (queueName, ids) => retryJobs(boss, queueName, ids),
    async declare(queues) {
      for (const { name, policy } of queues) {
        if ((await boss.getQueue(name)) === null) await boss.createQueue(name, policy);
        else await boss.updateQueue(name, withoutFixedParts(policy));
      }
    },
    async check() {
      await boss.schemaVersion();
    },
    async schedule(queueName, cron) {
      await boss.schedule(queueName, cron, {}, { tz: 'UTC' });
    },
    async work(queue, { localConcurrency = 1, pollingSeconds = 1 }, handle) {
      // A worker each, rather than pg-boss' own localConcurrency: of those only the first can be told to go on.
      for (let count = 0; count < localConcurrency; count += 1)
        await startWorker(boss, queue, pollingSeconds, handle);
    },
    async close(timeoutMs) {
      await boss.stop({ graceful: true, timeout: timeoutMs, close: true });
    },
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
      // Notifications tell of new jobs, but not of retries whose time has come: hence also a look every so often.
      pollingIntervalSeconds: pollingSeconds,
      notifyPollingIntervalSeconds: pollingSeconds,
      batchSize: 1,
    },
    async (jobs) => {
      for (const job of jobs) await handle(deliveryOf(queue, job as JobWithMetadata));
      // pg-boss pauses after a job as after none, so that short jobs that wait would be done one a pause. After one
      // that failed the pause is as it should be.
      boss.notifyWorker(worker);
    },
  );
}

async function retryJobs(boss: PgBoss, queueName: string, ids: readonly string[]): Promise<number> {
  const retry = async (some: readonly string[]): Promise<number> =>
    ((await boss.retry(queueName, [...some])) as { affected: number }).affected;
  if (ids.length === 0) return 0;
  try {
    return await retry(ids);
  } catch {
    // Of a queue that keeps one job waiting, the others cannot wait as well: one by one, some can.
    let retried = 0;
    for (const id of ids) retried += await retry([id]).catch(() => 0);
    return retried;
  }
}

/** What pg-boss fixes when a queue is created. */
function withoutFixedParts(policy: Omit<QueuePolicy, 'name'>): Omit<QueuePolicy, 'name'> {
  const { policy: _policy, partition: _partition, ...rest } = policy;
  return rest;
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
