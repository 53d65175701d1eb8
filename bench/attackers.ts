/** A thread of strangers: each sends the same request again as soon as it was answered, until the thread is ended. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';

/** One attack, as it is sent. */
export interface Attack {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Whether the answer is read. Otherwise a new connection is opened for each request, and none is closed. */
  readonly reads: boolean;
}

const { url, attack, strangers } = workerData as { url: string; attack: Attack; strangers: number };
const { method, path, headers, body, reads } = attack;
const OPEN_MAX = 50;

async function sendAndRead(): Promise<void> {
  for (;;) {
    const response = await fetch(url + path, { method, headers, body }).catch(() => null);
    if (response === null) await sleep(10);
    else await response.text().catch(() => '');
  }
}

/** Keeps OPEN_MAX connections whose answers are not read. */
async function sendOnly(): Promise<void> {
  const { hostname, port } = new URL(url);
  let open = 0;
  for (;;) {
    if (open < OPEN_MAX) {
      open += 1;
      const socket = connect(Number(port), hostname).pause();
      socket.on('error', () => undefined);
      socket.once('close', () => (open -= 1));
      const lines = Object.entries({
        host: hostname,
        ...headers,
        'content-length': String(Buffer.byteLength(body ?? '')),
      });
      socket.write(
        `${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body ?? ''}`,
      );
    }
    await sleep(5);
  }
}

await Promise.all(Array.from({ length: strangers }, () => (reads ? sendAndRead() : sendOnly())));
