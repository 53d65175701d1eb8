import { define } from '../define.js';

/** What the server depends on, and what it does by itself. */
export const databaseEvents = define({
  'database-migrated': {
    level: 'info',
    fields: ['migrations'],
    when: 'The start has applied migrations.',
    action: null,
  },
  'database-created': {
    level: 'info',
    fields: [],
    when: 'The start has created the embedded database.',
    action: null,
  },
  'database-given': {
    level: 'info',
    fields: ['objects'],
    when: 'The start has made the role of the server the owner of the objects of an older embedded database.',
    action: null,
  },
  'database-connection-lost': {
    level: 'warn',
    fields: ['err'],
    when: 'A connection to Postgres was lost, or an answer on it did not come. It is replaced.',
    action: 'See the error if it is repeated.',
  },
  'database-refuses': {
    level: 'warn',
    fields: ['sqlState', 'err'],
    when: 'Postgres refuses something that an operator must resolve, for example because the disk is full. At most once a minute for each state.',
    action: 'See the error.',
  },
  'waiting-for-other-server': {
    level: 'info',
    fields: ['holder'],
    when: 'Another server that uses the same folder is stopping.',
    action: null,
  },
  'earlier-postgres-stopped': {
    level: 'warn',
    fields: ['processes'],
    when: 'A Postgres of an earlier start still runs in the folder, and is told to stop.',
    action: null,
  },
  'notices-not-heard': {
    level: 'warn',
    fields: ['err'],
    when: 'The connection for notices of other processes was lost. Sessions are read from the database until it is back.',
    action: 'See the error if it is repeated.',
  },
  'changes-not-told': {
    level: 'warn',
    fields: ['err'],
    when: 'Changes could not be announced to subscriptions. They are announced later.',
    action: 'See the error if it is repeated.',
  },
  'sessions-not-rechecked': {
    level: 'warn',
    fields: ['refused', 'err?'],
    when: 'The sessions of open subscriptions could not be read while notices are not received. At most once a minute.',
    action: 'See the error; the database is probably not reachable.',
  },
  'signing-keys-not-read': {
    level: 'warn',
    fields: ['err'],
    when: 'The keys that sign tokens or addresses could not be read. The process keeps those that it read before.',
    action: 'See the error; the database is probably not reachable.',
  },
  'queue-error': {
    level: 'warn',
    fields: ['err'],
    when: 'pg-boss, or its connection, has failed at something that it tries again.',
    action: 'See the error if it is repeated.',
  },
  'queue-warning': {
    level: 'warn',
    fields: ['warning'],
    when: 'pg-boss warns, for example of a slow query or a long queue.',
    action: 'See the warning.',
  },
  'jobs-redriven': {
    level: 'info',
    fields: ['queue', 'actorId', 'jobs'],
    when: 'An administrator has given failed jobs another try.',
    action: null,
  },
  'not-ready': {
    level: 'warn',
    fields: ['what', 'reason?', 'err?'],
    when: '`/readyz` answers 503.',
    action: 'See the error of the part.',
  },
  'task-run-not-recorded': {
    level: 'warn',
    fields: ['task', 'err'],
    when: 'The time of a run of a task could not be stored. The task runs all the same.',
    action: 'See the error; the metrics of tasks are out of date meanwhile.',
  },
  'disk-not-read': {
    level: 'warn',
    fields: ['err'],
    when: 'The free space of DATA_DIR, or the anchors that wait in it, could not be read for `/metrics`.',
    action: 'See the error.',
  },
  'metrics-not-read': {
    level: 'warn',
    fields: ['err'],
    when: 'Metrics that are read from the database are missing in an answer of `/metrics`.',
    action: 'See the error.',
  },
  'maintenance-done': {
    level: 'info',
    fields: ['task', 'processed', 'changed', 'durationMs'],
    when: 'A task is finished.',
    action: null,
  },
  'maintenance-failed': {
    level: 'error',
    fields: ['task', 'durationMs', 'err'],
    when: 'A task failed. It is tried again three times, and at its next time.',
    action: 'See the error.',
  },
  'files-swept': {
    level: 'info',
    fields: ['files'],
    when: 'The task PRUNE_SESSIONS has removed files that belong to no row.',
    action: null,
  },
  'search-texts-folded': {
    level: 'info',
    fields: ['rows'],
    when: 'Search texts were written for rows of an earlier release or of another program.',
    action: null,
  },
  'search-texts-not-folded': {
    level: 'warn',
    fields: ['subject?', 'err'],
    when: 'Search texts could not be written. A search misses these rows until then.',
    action: 'See the error if it is repeated.',
  },
});
