import { define } from '../define.js';

/** What the API is asked. */
export const requestEvents = define({
  'http-request': {
    level: 'info',
    fields: [
      'requestId',
      'method',
      'route',
      'status',
      'durationMs',
      'complete',
      'userId?',
      'traceId?',
      'spanId?',
    ],
    when: 'An answer is complete, or its client has left. `userId` is the user of the access token. A subscription has this line at its end.',
    action: null,
  },
  'http-probe': {
    level: 'debug',
    fields: [
      'requestId',
      'method',
      'route',
      'status',
      'durationMs',
      'complete',
      'userId?',
      'traceId?',
      'spanId?',
    ],
    when: 'The same for `/healthz`, `/readyz` and `/metrics`, which are asked all the time.',
    action: null,
  },
  'unexpected-error': {
    level: 'error',
    fields: ['requestId', 'err'],
    when: 'A request failed for a reason that the server does not know. The client gets INTERNAL with the request id.',
    action:
      'Read the error, and report it as a bug unless its cause is a part outside of the server.',
  },
  'request-refused': {
    level: 'warn',
    fields: ['code', 'refused'],
    when: 'Requests were refused with UNAUTHENTICATED, FORBIDDEN or QUERY_TOO_COMPLEX. At most once a minute for each code.',
    action: 'Nothing for single ones. Many of them mean that a client tries what it may not do.',
  },
  'rate-limit-exceeded': {
    level: 'warn',
    fields: ['limit', 'by', 'refused'],
    when: 'Requests were refused by a rate limit. At most once a minute for each limit.',
    action: 'Many of them are an attack, or a limit that is too low.',
  },
  'limits-not-counted': {
    level: 'warn',
    fields: ['limit', 'refused', 'err?'],
    when: 'The counters of a rate limit could not be read or written. At most once a minute for each limit.',
    action: 'See the error; the database is probably not reachable.',
  },
});
