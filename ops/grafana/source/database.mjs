import {
  age,
  dashboard,
  each,
  graph,
  line,
  number,
  quantile,
  rate,
  row,
  series,
  share,
  shared,
  summed,
  table,
} from './builder.mjs';

const waiting = shared(series('queue_jobs', 'state="waiting"'), 'queue');
const dead = shared(series('queue_jobs', 'state="failed"'), 'queue');
const inUse = summed(series('database_connections', 'state="in_use"'), 'pool');
const free = `${shared(series('disk_free_bytes'), 'volume')} / ${shared(series('disk_size_bytes'), 'volume')}`;

export default dashboard({
  uid: 'database',
  title: 'database and queues',
  description: 'Pools of connections, queues and their jobs, scheduled tasks, and sizes.',
  rows: [
    row(
      'Now',
      number(
        'Connections in use',
        'The fullest pool of all processes. At 100 % requests wait for a connection.',
        `max (${series('database_connections', 'state="in_use"')} / on (instance, pool) ${series('database_connections_max')})`,
        { unit: 'percentunit', limits: [0.8, 1], runbook: 'pool-exhausted' },
      ),
      number(
        'Waiting requests',
        'Requests that wait for a connection, in all processes.',
        summed(series('database_waiting')),
        {
          limits: [1, 20],
          runbook: 'pool-exhausted',
        },
      ),
      number('Waiting jobs', 'Jobs of all queues that wait, also for a retry.', summed(waiting), {
        limits: [1000],
        runbook: 'queue-age',
      }),
      number(
        'Dead letters',
        'Jobs whose retries are used up. They wait for a person.',
        summed(dead),
        { limits: [1], runbook: 'dead-letters' },
      ),
      number(
        'Oldest job',
        'How long the oldest due job has not been taken.',
        `max (${series('queue_oldest_waiting_seconds')})`,
        {
          unit: 's',
          limits: [60, 300],
          runbook: 'queue-age',
        },
      ),
      number(
        'Free disk',
        'Free space of DATA_DIR. Below 10 % act soon: a full disk stops every movement of points.',
        `min (${free})`,
        {
          unit: 'percentunit',
          limits: [0.1, 0.2],
          isFloor: true,
          runbook: 'disk-space-low',
        },
      ),
    ),
    row(
      'Connections of the database',
      graph(
        'In use by pool',
        'Connections in use of all processes, by pool.',
        [line(inUse, '{{pool}}')],
        { runbook: 'pool-exhausted' },
      ),
      graph(
        'Waiting for a connection',
        'Requests that wait for a connection, by pool.',
        [line(summed(series('database_waiting'), 'pool'), '{{pool}}')],
        { limits: [20], runbook: 'pool-exhausted' },
      ),
      graph(
        'How long they wait',
        'The 95th percentile of the wait for a connection, and the longest wait since the last scrape, by pool.',
        [
          line(quantile(0.95, series('database_wait_seconds_bucket'), 'pool'), 'p95 {{pool}}'),
          line(shared(series('database_longest_wait_seconds'), 'pool'), 'longest {{pool}}'),
        ],
        { unit: 's', limits: [1, 5], runbook: 'pool-exhausted' },
      ),
    ),
    row(
      'Queues',
      graph('Waiting jobs', 'Jobs that wait, by queue.', [line(waiting, '{{queue}}')], {
        runbook: 'queue-age',
      }),
      graph(
        'Age of the oldest waiting job',
        'How long the oldest due job of each queue has not been taken. It grows when no worker runs.',
        [line(shared(series('queue_oldest_waiting_seconds'), 'queue'), '{{queue}}')],
        { unit: 's', limits: [60, 300], runbook: 'queue-age' },
      ),
      graph(
        'Dead letters',
        'Failed jobs that are kept, by queue. `redriveJobs` gives them one more attempt.',
        [line(dead, '{{queue}}')],
        { limits: [1], runbook: 'dead-letters' },
      ),
      graph(
        'Jobs by result',
        'Jobs a second that ended well or failed, by queue. A job that failed is tried again.',
        [line(rate(series('jobs_total'), 'queue', 'result'), '{{queue}} {{result}}')],
        { unit: 'ops', width: 12, runbook: 'stuck-jobs' },
      ),
      graph(
        'Duration of jobs, p95',
        'Nineteen of twenty jobs of a queue take less than this.',
        [line(quantile(0.95, series('job_duration_seconds_bucket'), 'queue'), '{{queue}}')],
        { unit: 's', width: 12 },
      ),
    ),
    row(
      'Scheduled tasks',
      table(
        'Time since the last success, in intervals',
        'How long ago each task last succeeded, as a multiple of the interval of its schedule. Above 2 at least one run is missed.',
        [
          line(
            `(${age(series('task_last_success_timestamp_seconds'), 'task')}) / max by (task) (${series('task_interval_seconds')})`,
          ),
        ],
        { limits: [1.5, 2], runbook: 'task-missed' },
      ),
      graph(
        'Last duration',
        'How long the last run of each task took.',
        [line(shared(series('task_last_duration_seconds'), 'task'), '{{task}}')],
        { unit: 's' },
      ),
      graph(
        'Failed runs',
        'Runs of tasks that failed. A failed run is tried again up to three times.',
        [line(rate(series('maintenance_runs_total', 'result="failed"'), 'task'), '{{task}}')],
        { unit: 'ops', runbook: 'task-missed' },
      ),
    ),
    row(
      'Sizes and storage',
      graph(
        'Size of the database',
        'All tables and indexes together.',
        [line(shared(series('database_size_bytes')), 'database')],
        { unit: 'bytes', runbook: 'database-growth' },
      ),
      graph(
        'Free disk',
        'Free space of the volume of DATA_DIR, as a share of its size.',
        [line(free, '{{volume}}')],
        {
          unit: 'percentunit',
          max: 1,
          limits: [0.1, 0.2],
          isFloor: true,
          runbook: 'database-full',
        },
      ),
      graph(
        'Failures of the storage',
        'Operations on recordings that failed, as a share of all.',
        [
          line(
            share(
              rate(series('storage_operations_total', 'result!="ok"'), 'operation'),
              rate(series('storage_operations_total'), 'operation'),
            ),
            '{{operation}}',
          ),
        ],
        { unit: 'percentunit', limits: [0.01, 0.05], runbook: 'storage-failing' },
      ),
      graph(
        'Bytes of the storage',
        'Bytes that were read and written.',
        [line(rate(series('storage_bytes_total'), 'direction'), '{{direction}}')],
        { unit: 'Bps', width: 12 },
      ),
    ),
    row(
      'Keys',
      table(
        'Age of the keys',
        'How old the newest signing key of each kind is.',
        [line(age(series('key_created_timestamp_seconds'), 'key'))],
        { unit: 's', width: 12, runbook: 'key-old' },
      ),
      graph(
        'Processes by pool',
        'The bound of connections of each process.',
        [line(each(series('database_connections_max'), 'pool'), '{{instance}} {{pool}}')],
        { width: 12 },
      ),
    ),
  ],
});
