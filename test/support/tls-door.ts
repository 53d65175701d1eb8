import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { CERTIFICATE, KEY } from './certificate.js';

/** https://www.postgresql.org/docs/current/protocol-message-formats.html: SSLRequest, length and code. */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/** What pg_hba.conf with nothing but `hostssl` says to a connection without TLS. */
function refusal(): Buffer {
  const fields = [
    'SFATAL',
    'VFATAL',
    'C28000',
    'Mno pg_hba.conf entry for host "127.0.0.1", user "somebody", database "stories", no encryption',
  ];
  const body = Buffer.from(`${fields.map((field) => `${field}\0`).join('')}\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

export interface TlsDoor {
  readonly port: number;
  /** Connections that came encrypted, and that did not. */
  readonly seen: { encrypted: number; plain: number };
  close(): Promise<void>;
}

/**
 * Puts TLS, with a certificate that is signed by itself, in front of a Postgres that has none.
 * @param demandsTls whether connections without it are refused
 */
export async function openTlsDoor(url: string, demandsTls: boolean): Promise<TlsDoor> {
  const { hostname, port } = new URL(url);
  const sockets = new Set<Socket>();
  const seen = { encrypted: 0, plain: 0 };
  const join = (client: Socket | TLSSocket, first?: Buffer): void => {
    const server = connect(Number(port), hostname);
    sockets.add(server);
    if (first !== undefined) server.write(first);
    client.pipe(server).pipe(client);
    for (const end of [client, server]) end.on('error', () => client.destroy());
    client.on('close', () => server.destroy());
  };
  const secureContext = createSecureContext({ cert: CERTIFICATE, key: KEY });
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', (first: Buffer) => {
      if (first.equals(SSL_REQUEST)) {
        seen.encrypted += 1;
        socket.write('S');
        join(new TLSSocket(socket, { isServer: true, secureContext }));
        return;
      }
      seen.plain += 1;
      if (demandsTls) socket.end(refusal());
      else join(socket, first);
    });
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    seen,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  };
}
