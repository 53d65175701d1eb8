import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { propertyOf, textOf } from '../../domain/objects.js';
import type { App } from '../../services/app.js';
import { STATEMENTS_PATH } from '../../services/accounting/statement-csv.js';
import { onBytes } from '../../services/narrations/files.js';
import { FILES_PATH, STREAMS_PATH } from '../../services/narrations/addresses.js';
import { SAMPLES_PATH } from '../../services/narrations/samples/samples.js';

/** What a path is for. */
type RouteKind = 'graphql' | 'files' | 'metrics' | 'health' | 'page' | 'other';

const KINDS: readonly (readonly [start: string, kind: RouteKind])[] = [
  ['/graphql', 'graphql'],
  [`${FILES_PATH}/`, 'files'],
  [`${STREAMS_PATH}/`, 'files'],
  [`${STATEMENTS_PATH}/`, 'files'],
  [`${SAMPLES_PATH}/`, 'files'],
  ['/metrics', 'metrics'],
  ['/healthz', 'health'],
  ['/readyz', 'health'],
];

/** By the pattern of the route, which no client can invent. A request without a route is `other`. */
function routeOf({ routeOptions: { url } }: FastifyRequest): RouteKind {
  if (url === undefined) return 'other';
  return KINDS.find(([start]) => url.startsWith(start))?.[1] ?? 'page';
}

interface RequestLabels {
  readonly route: RouteKind;
  readonly status: string;
}

/** Counts every answered request, and those for files also by what became of them. */
export function countRequests(server: FastifyInstance, app: Pick<App, 'metrics'>): void {
  const { metrics } = app;
  const note = metrics.inBatches((labels: RequestLabels) => {
    metrics.requests.inc(labels);
  });
  server.addHook('onResponse', (request, { statusCode, raw }, done) => {
    note({ route: routeOf(request), status: classOf(statusCode) });
    const kind = fileKindOf(request);
    if (kind !== null) {
      const isCutOff = statusCode < 300 && !raw.writableFinished;
      metrics.fileRequests.inc({ kind, result: isCutOff ? 'cut_off' : resultOf(statusCode) });
    }
    done();
  });
  server.addHook('onSend', (request, _reply, payload, done) => {
    const kind = fileKindOf(request);
    if (kind !== null && payload instanceof Readable)
      onBytes(payload, (bytes) => {
        metrics.fileBytes.inc({ kind }, bytes);
      });
    done();
  });
}

/** Counts a request that passes no hook, because its address is malformed. */
export function countUnroutable(app: Pick<App, 'metrics'>, { statusCode }: FastifyReply): void {
  app.metrics.requests.inc({ route: 'other', status: classOf(statusCode) });
}

const classOf = (status: number): string => `${String(Math.floor(status / 100))}xx`;

type FileKind = 'recording' | 'captions' | 'sentences' | 'statement' | 'sample';

/** What the address of a file is for; null for other requests, and for the preflights of players. */
function fileKindOf({ routeOptions: { url }, method, params }: FastifyRequest): FileKind | null {
  if (url === undefined || method === 'OPTIONS') return null;
  if (url.startsWith(`${STREAMS_PATH}/`)) return 'sentences';
  if (url.startsWith(`${STATEMENTS_PATH}/`)) return 'statement';
  if (url.startsWith(`${SAMPLES_PATH}/`)) return 'sample';
  if (!url.startsWith(`${FILES_PATH}/`)) return null;
  return textOf(propertyOf(params, 'key'))?.endsWith('.vtt') === true ? 'captions' : 'recording';
}

const RESULTS: Readonly<Record<number, string>> = {
  200: 'ok',
  206: 'part',
  304: 'unchanged',
  403: 'refused',
  404: 'missing',
  416: 'no_such_part',
  429: 'limited',
};

const resultOf = (status: number): string =>
  RESULTS[status] ?? (status < 500 ? 'refused' : 'failed');
