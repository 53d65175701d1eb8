import { define } from '../define.js';

/** The life of a process. */
export const processEvents = define({
  listening: {
    level: 'info',
    fields: ['url', 'metricsUrl?', 'role'],
    when: 'The start is complete.',
    action: null,
  },
  'web-app-not-built': {
    level: 'warn',
    fields: [],
    when: 'The files of the web app do not exist. The server runs without it.',
    action: 'Run `npm run build`, or set WEB=false.',
  },
  stopping: {
    level: 'info',
    fields: [],
    when: 'The process stops: it takes no more requests and jobs, and finishes those that run.',
    action: null,
  },
  'stop-failed': {
    level: 'error',
    fields: ['err'],
    when: 'A part could not be closed. The process ends with status 1.',
    action: 'See the error.',
  },
  'npm-ended': {
    level: 'warn',
    fields: [],
    when: 'npm has started this process and has ended without it. The process stops.',
    action: null,
  },
  'unhandled-rejection': {
    level: 'fatal',
    fields: ['err'],
    when: 'A promise was rejected without a handler. The process stops with status 1.',
    action: 'Start it again, and report the error as a bug.',
  },
  'embedded-database-ended': {
    level: 'fatal',
    fields: [],
    when: 'The embedded Postgres has ended. The process stops with status 1.',
    action: 'Start it again.',
  },
  'event-loop-stalled': {
    level: 'fatal',
    fields: ['stallSeconds'],
    when: 'The event loop was blocked for EVENT_LOOP_STALL_SECONDS. The process ends itself with SIGKILL.',
    action: 'Start it again, and report what was requested as a bug.',
  },
  'watchdog-ended': {
    level: 'error',
    fields: ['err'],
    when: 'The thread that watches the event loop has ended.',
    action: 'Restart the process.',
  },
  'proxy-setting': {
    level: 'warn',
    fields: [],
    when: 'TRUST_PROXY trusts more than it seems to. The message says which clients choose their own address.',
    action: 'List only the addresses of the proxies.',
  },
  'common-admin-password': {
    level: 'warn',
    fields: [],
    when: 'ADMIN_PASSWORD is one of the most common passwords.',
    action: 'Set another one.',
  },
  'library-filled': {
    level: 'info',
    fields: ['stories'],
    when: 'The start has added the stories of the library.',
    action: null,
  },
  'traces-not-exported': {
    level: 'warn',
    fields: ['refused', 'err'],
    when: 'The receiver at OTEL_EXPORTER_OTLP_ENDPOINT did not accept spans, which are lost. At most once a minute, with the number of failed exports.',
    action: 'See the error. Requests and jobs are not affected.',
  },
});
