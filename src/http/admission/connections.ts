import type { Socket } from 'node:net';
import type { App } from '../../services/app.js';
import { networksOf } from '../../domain/networks.js';
import { createTrust } from '../proxies.js';

/** A connection of a client to this server. */
export interface Connection {
  readonly socket: Socket;
  /** The network of the other end, which may be a proxy. */
  readonly peer: string;
  /** The network that the last request came from; the peer until there is one. */
  client: string;
  /** How many of its requests are admitted and not taken yet. */
  requests: number;
  /** Called when the connection is closed. */
  readonly closeListeners: Set<() => void>;
}

export interface Connections {
  /** Counts a connection, and closes it if there are too many. Idempotent. */
  register(socket: Socket): Connection;
  all(): Iterable<Connection>;
  count(): number;
}

/**
 * Bounds the connections of each network and of all networks. If all are in use, the network with the most connections
 * loses an idle one to a network with fewer, so that one client cannot keep the others out.
 */
export function createConnections(app: Pick<App, 'config' | 'metrics'>): Connections {
  const { connectionsMax, connectionsPerAddressMax, trustProxy } = app.config.http;
  const trusts = createTrust(trustProxy);
  const open = createOpenConnections();

  function reasonToRefuse({ peer, socket }: Connection): 'address' | 'all' | null {
    const count = open.countOf(peer);
    // All clients behind a proxy have the proxy's address.
    if (count >= connectionsPerAddressMax && !trusts(socket.remoteAddress, 0)) return 'address';
    if (open.count() < connectionsMax) return null;
    return open.closeIdle(count) ? null : 'all';
  }

  function register(socket: Socket): Connection {
    const known = open.find(socket);
    if (known !== undefined) return known;
    const connection = connectionOf(socket);
    const refusal = reasonToRefuse(connection);
    if (refusal === null) {
      open.add(connection);
    } else {
      app.metrics.connectionsRefused.inc({ reason: refusal });
      socket.destroy();
    }
    return connection;
  }

  return { register, all: open.all, count: open.count };
}

function connectionOf(socket: Socket): Connection {
  const peer = networksOf(socket.remoteAddress ?? '').own;
  return { socket, peer, client: peer, requests: 0, closeListeners: new Set() };
}

interface OpenConnections extends Pick<Connections, 'all' | 'count'> {
  find(socket: Socket): Connection | undefined;
  countOf(peer: string): number;
  /** Adds it until it is closed. */
  add(connection: Connection): void;
  /**
   * @param count the connections of the network that needs a place
   * @returns whether an idle connection of a network with more was closed
   */
  closeIdle(count: number): boolean;
}

/** The open connections, without bounds. */
function createOpenConnections(): OpenConnections {
  const bySocket = new Map<Socket, Connection>();
  const byPeer = new Map<string, Set<Connection>>();

  function remove(connection: Connection): void {
    if (!bySocket.delete(connection.socket)) return;
    const peers = byPeer.get(connection.peer);
    peers?.delete(connection);
    if (peers?.size === 0) byPeer.delete(connection.peer);
    for (const listener of connection.closeListeners) listener();
    connection.closeListeners.clear();
  }

  return {
    all: () => bySocket.values(),
    count: () => bySocket.size,
    find: (socket) => bySocket.get(socket),
    countOf: (peer) => byPeer.get(peer)?.size ?? 0,
    add: (connection) => {
      const { socket, peer } = connection;
      bySocket.set(socket, connection);
      byPeer.set(peer, (byPeer.get(peer) ?? new Set()).add(connection));
      socket.once('close', () => {
        remove(connection);
      });
    },
    closeIdle: (count) => {
      let most = new Set<Connection>();
      for (const peers of byPeer.values()) if (peers.size > most.size) most = peers;
      if (most.size <= count + 1) return false;
      for (const connection of most) {
        if (connection.requests > 0) continue;
        connection.socket.destroy();
        remove(connection);
        return true;
      }
      return false;
    },
  };
}
