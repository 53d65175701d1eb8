import { counter, gauge, histogram, SHORT_SECONDS } from './make.js';

/** Clients, their requests and what they are refused. */
export const CLIENTS = {
  sessions: counter(
    'sessions_total',
    'Sessions: created, refused (wrong password), refreshed, or reused (ended because an old token came again).',
    'event',
  ),
  rateLimitRefusals: counter(
    'rate_limit_refusals_total',
    'Requests over a rate limit, by address or account.',
    'limit',
    'by',
  ),
  /** Subscriptions of this process. */
  subscriptions: gauge(
    'subscriptions',
    'Subscriptions, and streams of what is being made, that are open.',
  ),
  subscriptionsDropped: counter(
    'subscriptions_dropped_total',
    'Subscriptions that were ended because the client did not read their events.',
  ),
  connections: gauge(
    'connections',
    'Connections that clients have to the API, as of the last second, as are the gauges of bytes.',
  ),
  /** By which bound was reached: `address` or `all`. */
  connectionsRefused: counter(
    'connections_refused_total',
    'Connections that were closed at once because there were too many: of one address, or of all.',
    'reason',
  ),
  bodyBytes: gauge(
    'request_body_bytes',
    'Bytes of bodies of requests that are not answered yet, as announced.',
  ),
  answerBytes: gauge(
    'answer_bytes',
    'Upper bound of the bytes of answers being made, plus those that clients have not read yet.',
  ),
  unsentBytes: gauge('unsent_bytes', 'Bytes of answers and streams that wait to be taken.'),
  /** `slow`, `deadline`, `room` for others, or `pipelined` too many. */
  answersCutOff: counter(
    'answers_cut_off_total',
    'Connections that were closed: the answer was taken too slowly (slow), not in time (deadline), others needed the room, or too many requests were pipelined.',
    'reason',
  ),
  /** What there was no room for: `bodies`, `answers`, or a `turn` for an operation. */
  requestsRefused: counter(
    'requests_refused_total',
    'Requests that were BUSY for lack of memory for bodies or answers, or of a turn for an operation.',
    'reason',
  ),
  /** By the names that the server knows; other names are `other`, and an operation without a name is `unnamed`. */
  operations: counter(
    'graphql_operations_total',
    'GraphQL operations that were answered, by their most severe error, or OK. A subscription counts when it is opened.',
    'operation',
    'type',
    'code',
  ),
  operationSeconds: histogram(
    'graphql_operation_duration_seconds',
    'Time from the end of the body of a request to the start of its answer. Without subscriptions.',
    SHORT_SECONDS,
    'operation',
  ),
  /** `graphql`, `files`, `metrics`, `health`, `page`, `other`; `2xx` and so on. */
  requests: counter(
    'http_requests_total',
    'HTTP requests that were answered, by kind of path (graphql, files, metrics, health, page, other) and class of status.',
    'route',
    'status',
  ),
  fileRequests: counter(
    'file_requests_total',
    'Requests for a recording, captions, sentences (a narration in the making), statements or a sample of a voice: ok, part, unchanged, refused, missing, no_such_part, limited, cut_off or failed.',
    'kind',
    'result',
  ),
  fileBytes: counter(
    'file_bytes_total',
    'Bytes of recordings, captions, streams, statements and samples of voices that were handed to connections.',
    'kind',
  ),
};
