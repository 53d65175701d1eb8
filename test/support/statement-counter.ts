import { createServer, connect, type Socket } from 'node:net';
import { once } from 'node:events';

export interface StatementCounter {
  /** The database's address, through the counter. */
  readonly url: string;
  /** How many statements have passed since it was last asked. */
  take(): number;
  close(): void;
}

/**
 * Stands between a server and Postgres and counts the statements: of the messages that a client sends,
 * Query and Execute are one each (PostgreSQL's frontend/backend protocol, version 3).
 */
export async function countStatements(databaseUrl: string): Promise<StatementCounter> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let count = 0;
  const server = createServer((client) => {
    const postgres = connect(Number(target.port), target.hostname);
    let pending = Buffer.alloc(0);
    let started = false;
    client.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      for (;;) {
        // The first message has no type.
        const typeBytes = started ? 1 : 0;
        if (pending.length < typeBytes + 4) break;
        const lengthBytes = typeBytes + pending.readUInt32BE(typeBytes);
        if (pending.length < lengthBytes) break;
        const type = String.fromCharCode(pending[0] ?? 0);
        if (started && (type === 'Q' || type === 'E')) count += 1;
        started = true;
        pending = pending.subarray(lengthBytes);
      }
    });
    client.pipe(postgres).pipe(client);
    for (const socket of [client, postgres]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(databaseUrl);
  url.port = String((server.address() as { port: number }).port);
  return {
    url: url.href,
    take: () => {
      const taken = count;
      count = 0;
      return taken;
    },
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
