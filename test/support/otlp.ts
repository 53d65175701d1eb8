import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A span as a receiver gets it. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** '' for the first span of a trace. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  /** 2 is an error. */
  readonly status: number;
}

interface OtlpAttribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}
interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes?: readonly OtlpAttribute[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status?: { readonly code?: number };
}
interface OtlpRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly OtlpAttribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

/** A receiver of traces: OTLP over HTTP, in JSON. */
export interface OtlpReceiver {
  readonly url: string;
  /** What it has received so far. */
  spans(): readonly ReceivedSpan[];
  /** The same, as it was sent. */
  bodies(): string;
  /** The headers of the last export. */
  headers(): Readonly<Record<string, unknown>>;
  /** How many exports it has got, also those that it did not accept. */
  exports(): number;
  /** Accepts, refuses with 500, or never answers. */
  behave(how: 'accept' | 'fail' | 'hang'): void;
  close(): Promise<void>;
}

const namesAndValues = (attributes: readonly OtlpAttribute[] = []): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));

const spanOf = ({ traceId, spanId, parentSpanId = '', name, ...rest }: OtlpSpan): ReceivedSpan => ({
  traceId,
  spanId,
  parentSpanId,
  name,
  attributes: namesAndValues(rest.attributes),
  links: rest.links ?? [],
  status: rest.status?.code ?? 0,
});

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const bodies: string[] = [];
  const hanging: ServerResponse[] = [];
  let headers: Readonly<Record<string, unknown>> = {};
  let exports = 0;
  let behaviour: 'accept' | 'fail' | 'hang' = 'accept';
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      exports += 1;
      ({ headers } = request);
      if (behaviour === 'hang') {
        hanging.push(response);
        return;
      }
      response.setHeader('content-type', 'application/json');
      if (behaviour === 'fail' || request.url !== '/v1/traces') {
        response.writeHead(500).end('{}');
        return;
      }
      bodies.push(body);
      for (const { scopeSpans } of (JSON.parse(body) as OtlpRequest).resourceSpans)
        for (const scope of scopeSpans) spans.push(...scope.spans.map(spanOf));
      response.end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    spans: () => spans,
    bodies: () => bodies.join('\n'),
    headers: () => headers,
    exports: () => exports,
    behave: (how) => {
      behaviour = how;
      if (how !== 'hang') for (const response of hanging.splice(0)) response.destroy();
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
