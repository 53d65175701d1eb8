import {
  dashboard,
  each,
  graph,
  line,
  number,
  percentiles,
  quantile,
  rate,
  recent,
  row,
  series,
  share,
  summed,
  table,
} from './builder.mjs';

const operations = (...matchers) => series('graphql_operations_total', ...matchers);
const seconds = series('graphql_operation_duration_seconds_bucket');
/** The codes that are the fault of the server. */
const ERRORS = 'code=~"INTERNAL|BUSY"';

export default dashboard({
  uid: 'api',
  title: 'API',
  description: 'Operations, their duration and errors, refusals, connections and the event loop.',
  rows: [
    row(
      'Now',
      number('Operations', 'GraphQL operations a second.', rate(operations()), { unit: 'reqps' }),
      number(
        'Errors',
        'Operations that ended with INTERNAL or BUSY, as a share of all. Clients repeat BUSY.',
        share(recent(operations(ERRORS)), recent(operations())),
        { unit: 'percentunit', limits: [0.005, 0.02], runbook: 'error-rate' },
      ),
      number('p95', 'Nineteen of twenty operations take less than this.', quantile(0.95, seconds), {
        unit: 's',
        limits: [0.5, 2],
        runbook: 'latency',
      }),
      number(
        'Connections',
        'Connections that clients have to all processes.',
        summed(series('connections')),
      ),
      number(
        'Event loop, p99',
        'The delay of the event loop in the worst process. A delay holds up every request of the process.',
        `max (${series('nodejs_eventloop_lag_p99_seconds')})`,
        { unit: 's', limits: [0.1, 0.5], runbook: 'event-loop-blocked' },
      ),
      number(
        'Processes',
        'API processes and workers that Prometheus reaches.',
        `count (${series('build_info')})`,
        {
          limits: [1],
          isFloor: true,
          runbook: 'process-down',
        },
      ),
    ),
    row(
      'Operations',
      graph(
        'Operations by name',
        'The twelve most frequent operations. Names that the server does not know count as `other`.',
        [line(`topk(12, ${rate(operations(), 'operation')})`, '{{operation}}')],
        { unit: 'reqps', width: 12 },
      ),
      graph(
        'Duration of operations',
        'The time from the document to its answer, over all operations.',
        percentiles(seconds),
        {
          unit: 's',
          limits: [0.5, 2],
          width: 12,
          runbook: 'latency',
        },
      ),
      table(
        'Slowest operations',
        'The 95th percentile of each operation, slowest first.',
        [line(`topk(20, ${quantile(0.95, seconds, 'operation')})`)],
        { unit: 's', limits: [0.5, 2], width: 12, runbook: 'latency' },
      ),
      graph(
        'Error codes',
        'Operations a second that ended with an error, by code. INTERNAL and BUSY are the fault of the server; the others are answers to wrong or refused requests.',
        [line(rate(operations('code!="OK"'), 'code'), '{{code}}')],
        { unit: 'reqps', width: 12, runbook: 'error-rate' },
      ),
    ),
    row(
      'Refusals',
      graph(
        'Rate limits',
        'Requests over a limit, by limit and by what was counted. A peak is one client that repeats too fast, or an attack.',
        [line(rate(series('rate_limit_refusals_total'), 'limit', 'by'), '{{limit}} by {{by}}')],
        { unit: 'reqps', runbook: 'rate-limit-refusals' },
      ),
      graph(
        'No room',
        'Requests that were BUSY for lack of memory for bodies or answers, or of a turn; connections that were refused; and answers that were cut off.',
        [
          line(rate(series('requests_refused_total'), 'reason'), 'request: {{reason}}'),
          line(rate(series('connections_refused_total'), 'reason'), 'connection: {{reason}}'),
          line(rate(series('answers_cut_off_total'), 'reason'), 'answer: {{reason}}'),
        ],
        { unit: 'reqps' },
      ),
      graph(
        'Dropped subscriptions',
        'Subscriptions that ended because their client did not read the events.',
        [line(rate(series('subscriptions_dropped_total')), 'dropped')],
        { unit: 'ops' },
      ),
    ),
    row(
      'HTTP and connections',
      graph(
        'Requests by route and status',
        'All HTTP requests a second.',
        [line(rate(series('http_requests_total'), 'route', 'status'), '{{route}} {{status}}')],
        { unit: 'reqps' },
      ),
      graph('Connections', 'Connections to the API of each process. CONNECTIONS_MAX bounds them.', [
        line(each(series('connections')), '{{instance}}'),
      ]),
      graph(
        'Bytes held for clients',
        'Bodies that are being received, answers that are being made or read, and bytes not read yet.',
        [
          line(summed(series('request_body_bytes')), 'bodies'),
          line(summed(series('answer_bytes')), 'answers'),
          line(summed(series('unsent_bytes')), 'not read yet'),
        ],
        { unit: 'bytes' },
      ),
    ),
    row(
      'Processes',
      graph(
        'Event-loop delay, p99',
        'The delay of the event loop of each process. A process whose loop is blocked for EVENT_LOOP_STALL_SECONDS ends itself.',
        [line(each(series('nodejs_eventloop_lag_p99_seconds')), '{{instance}}')],
        { unit: 's', limits: [0.1, 0.5], runbook: 'event-loop-blocked' },
      ),
      graph(
        'Memory',
        'Resident memory of each process.',
        [line(each(series('process_resident_memory_bytes')), '{{instance}}')],
        { unit: 'bytes' },
      ),
      graph('Processor', 'Processor time of each process, in cores.', [
        line(
          `sum by (instance) (rate(${series('process_cpu_seconds_total')}[$__rate_interval]))`,
          '{{instance}}',
        ),
      ]),
      table(
        'Versions',
        'What each process runs, and the newest migration that is applied.',
        [line(`max by (instance, version, node, migration) (${series('build_info')})`)],
        { width: 16, hidesValue: true, runbook: 'upgrade' },
      ),
      graph('Open files', 'Open files and sockets of each process.', [
        line(each(series('process_open_fds')), '{{instance}}'),
      ]),
    ),
  ],
});
