import { connect, type AddressInfo, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import fastify, { type FastifyInstance } from 'fastify';
import { readConfig } from '../../src/config.js';
import { admitRequests, awaitTurn } from '../../src/http/admission/admission.js';
import { noteCost, releaseBody } from '../../src/http/admission/admitted-request.js';
import { paceLongBodies } from '../../src/http/admission/pacing.js';
import { createMetrics } from '../../src/infra/metrics.js';

export const MB = 1024 * 1024;

/** A server that has only admission, routes whose ends a test decides, and a clock that the test moves. */
export interface AdmissionServer {
  readonly server: FastifyInstance;
  /** A connection that sends text and reads nothing until it is told to. */
  open(text: string): Socket;
  /** Moves the clock, and waits until the next sweep has seen that. */
  pass(ms: number): Promise<void>;
  /** The value of a sample, 0 when there is none. */
  sample(name: string): Promise<number>;
  /** How many handlers of /wait run. */
  waiting(): number;
  /** Lets all handlers of /wait answer. */
  answerAll(): void;
  close(): Promise<void>;
}

const SWEEP_MS = 50;

export async function startAdmissionServer(): Promise<AdmissionServer> {
  const metrics = createMetrics();
  const config = readConfig({ DATABASE_URL: 'postgres://127.0.0.1/none', TRUST_PROXY: 'loopback' });
  let now = 0;
  const gates = new Set<() => void>();
  const sockets: Socket[] = [];
  const server = fastify({ trustProxy: 'loopback', bodyLimit: MB });
  paceLongBodies(server);
  admitRequests(server, { config, metrics }, { now: () => now, sweepMs: SWEEP_MS });
  addRoutes(server, gates);
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.server.address() as AddressInfo;
  return {
    server,
    open: (text) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.pause();
      socket.write(text);
      sockets.push(socket);
      return socket;
    },
    pass: async (ms) => {
      now += ms;
      await new Promise((resolve) => setTimeout(resolve, 3 * SWEEP_MS));
    },
    sample: async (name) => {
      const lines = (await metrics.expose()).text.split('\n');
      const line = lines.find((one) => one.startsWith(`talebank_${name} `));
      return Number(line?.split(' ').at(-1) ?? 0);
    },
    waiting: () => gates.size,
    answerAll: () => {
      for (const gate of gates) gate();
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      for (const gate of gates) gate();
      await server.close();
    },
  };
}

function addRoutes(server: FastifyInstance, gates: Set<() => void>): void {
  const bytesOf = (query: unknown): number => Number((query as { bytes?: string }).bytes ?? 0);
  const gate = async (): Promise<void> => {
    let open = (): void => undefined;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    gates.add(open);
    await opened;
    gates.delete(open);
  };
  server.get('/answer', { exposeHeadRoute: true }, (request, reply) =>
    reply.send('a'.repeat(bytesOf(request.query))),
  );
  server.post('/answer', (_request, reply) => reply.send('a'));
  server.route({
    method: ['GET', 'POST'],
    url: '/wait',
    handler: async () => {
      await gate();
      return 'a';
    },
  });
  server.get('/unchanged', (_request, reply) => reply.code(304).send());
  server.post('/error', () => {
    throw new Error('This handler fails.');
  });
  server.options('/answer', (_request, reply) => reply.code(204).send());
  server.get('/stream', (request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200).write(Buffer.alloc(bytesOf(request.query)));
  });
  server.post('/hijacked', async (request, reply) => {
    releaseBody(request);
    await gate();
    reply.hijack();
    reply.raw.writeHead(200).write('a');
  });
  server.get('/broken', (_request, reply) =>
    reply.send(
      Readable.from(
        (function* () {
          yield 'a'.repeat(100_000);
          throw new Error('This stream fails.');
        })(),
      ),
    ),
  );
  const takeTurn = async (...[request, reply]: Parameters<typeof awaitTurn>): Promise<void> => {
    noteCost(request, 10_000);
    await awaitTurn(request, reply);
  };
  server.post('/operation', { preHandler: takeTurn }, async () => {
    await gate();
    return 'a';
  });
}

export const get = (path: string, from = '203.0.113.1', method = 'GET'): string =>
  `${method} ${path} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: ${from}\r\n\r\n`;

export const post = (path: string, body: string, headers: readonly string[] = []): string =>
  [
    `POST ${path} HTTP/1.1`,
    'host: x',
    'content-type: text/plain',
    'x-forwarded-for: 203.0.113.1',
    ...(headers.length > 0 ? headers : [`content-length: ${String(body.length)}`]),
    '',
    body,
  ].join('\r\n');

/** Reads so many bytes, or what comes until the other side ends. */
export function read(socket: Socket, bytes = Infinity): Promise<number> {
  let count = 0;
  return new Promise((resolve) => {
    const end = (): void => {
      socket.pause();
      socket.off('data', onData);
      resolve(count);
    };
    const onData = (chunk: Buffer): void => {
      count += chunk.length;
      if (count >= bytes) end();
    };
    socket.on('data', onData);
    socket.once('close', end);
    socket.resume();
  });
}
