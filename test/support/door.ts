import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** An address between a server and its Postgres that stays the same, wherever it leads, and can stop forwarding. */
export interface Door {
  readonly port: number;
  /** From now on nothing is forwarded, and nothing is closed, on the connections that are open and on new ones. */
  freeze(): void;
  /**
   * Freezes one connection at its next COMMIT that follows a text: `before` Postgres gets the COMMIT, or `after` it has
   * committed. @returns when it has frozen
   */
  freezeAtCommit(where: 'before' | 'after', following: string): Promise<void>;
  /** Forwards again, first what was held back. */
  thaw(): void;
  /** Closes both sides of every connection, and forwards new ones. */
  cut(): void;
  close(): void;
}

/** The two directions of one connection. */
interface Passage {
  readonly client: Socket;
  readonly target: Socket;
  frozen: boolean;
  /** Set when the text that a COMMIT must follow has passed. */
  trap: Trap | null;
  /** The names under which COMMIT was prepared. */
  readonly commits: Set<string>;
  readonly held: (() => void)[];
}

interface Trap {
  readonly where: 'before' | 'after';
  readonly following: string;
  readonly sprung: () => void;
}

/** @param port where it leads, read for each new connection */
export async function openDoor(port: () => number): Promise<Door> {
  const passages = new Set<Passage>();
  let isFrozen = false;
  const traps = new Set<Trap>();

  /** Does it now, or when the connection thaws, in the order of the calls. */
  const pass = (passage: Passage, step: () => void): void => {
    if (passage.frozen) passage.held.push(step);
    else step();
  };

  const springAt = (passage: Passage, where: Trap['where']): void => {
    if (passage.trap?.where !== where) return;
    passage.frozen = true;
    passage.trap.sprung();
    passage.trap = null;
  };

  const toTarget = (passage: Passage, chunk: Buffer): void => {
    const text = chunk.toString('latin1');
    for (const [, name] of text.matchAll(/P.{4}([^\0]{0,63})\0COMMIT\0/gs))
      if (name !== undefined) passage.commits.add(name);
    for (const trap of traps)
      if (text.includes(trap.following)) {
        passage.trap = trap;
        traps.delete(trap);
      }
    const isNamed = [...passage.commits].some(
      (name) => name !== '' && text.includes(`\0${name}\0`),
    );
    if (isNamed || text.includes('COMMIT\0')) springAt(passage, 'before');
    pass(passage, () => passage.target.write(chunk));
  };

  const toClient = (passage: Passage, chunk: Buffer): void => {
    // The tag of a completed COMMIT.
    if (chunk.toString('latin1').includes('COMMIT\0')) springAt(passage, 'after');
    pass(passage, () => passage.client.write(chunk));
  };

  // The end of one side is answered by the other side, so that a frozen connection does not close.
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const target = connect({ port: port(), host: '127.0.0.1', allowHalfOpen: true });
    const passage: Passage = {
      client,
      target,
      frozen: isFrozen,
      trap: null,
      commits: new Set(),
      held: [],
    };
    passages.add(passage);
    client.on('data', (chunk: Buffer) => {
      toTarget(passage, chunk);
    });
    target.on('data', (chunk: Buffer) => {
      toClient(passage, chunk);
    });
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      socket.on('error', () => undefined);
      socket.on('end', () => {
        pass(passage, () => other.end());
      });
      socket.on('close', () => {
        pass(passage, () => {
          passages.delete(passage);
          other.destroy();
        });
      });
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const cut = (): void => {
    isFrozen = false;
    for (const passage of passages) {
      passage.held.length = 0;
      passage.frozen = false;
      passage.client.destroy();
      passage.target.destroy();
    }
  };
  return {
    port: (server.address() as AddressInfo).port,
    freeze: () => {
      isFrozen = true;
      for (const passage of passages) passage.frozen = true;
    },
    freezeAtCommit: (where, following) =>
      new Promise((sprung) => {
        traps.add({ where, following, sprung });
      }),
    thaw: () => {
      isFrozen = false;
      for (const passage of passages) {
        passage.frozen = false;
        for (const step of passage.held.splice(0)) step();
      }
    },
    cut,
    close: () => {
      server.close();
      cut();
    },
  };
}
