import { setTimeout as sleep } from 'node:timers/promises';
import { execute, type Answer } from './client.js';
import { PATIENCE_MS } from './faults.js';
import type { TypedDocumentString } from './generated/graphql.js';
import type { ServerProcess, Talebank } from './talebank.js';

type Role = 'api' | 'worker';

interface Place {
  readonly role: Role;
  /** Null while a process of this place is being started. */
  server: ServerProcess | null;
}

/** Several processes on one database, any of which may be killed. A killed one is replaced. */
export interface Herd {
  readonly kills: number;
  readonly stops: number;
  /** How long each API process took until it listened, and each asked stop until its end, in milliseconds. */
  readonly startMs: readonly number[];
  readonly stopMs: readonly number[];
  /** The addresses of the API processes that run now. */
  urls(): string[];
  /** Kills a process, or asks it to stop, and starts another in its place. @throws when a stop does not end well */
  replace(place: number, how: 'kill' | 'stop'): Promise<void>;
  /**
   * Sends an operation to one of the API processes, and again to another one while there is no answer or it is BUSY, as
   * clients do behind a proxy.
   */
  ask<Data, Variables extends object>(
    document: TypedDocumentString<Data, Variables>,
    variables: Variables,
    token?: string,
  ): Promise<Answer<Data>>;
  /** Everything that all its processes have logged. */
  logs(): Record<string, unknown>[];
  stop(): Promise<void>;
}

/** Starts so many processes of each role. @param random a number from 0 to 1 */
export async function startHerd(
  talebank: Pick<Talebank, 'join'>,
  roles: readonly Role[],
  random: () => number,
): Promise<Herd> {
  const all: ServerProcess[] = [];
  const startMs: number[] = [];
  const stopMs: number[] = [];
  const counts = { kills: 0, stops: 0 };
  const start = async (role: Role): Promise<ServerProcess> => {
    const begun = performance.now();
    const server = await talebank.join({ ROLE: role });
    if (role === 'api') startMs.push(performance.now() - begun);
    all.push(server);
    return server;
  };
  const places: Place[] = [];
  for (const role of roles) places.push({ role, server: await start(role) });
  const urls = (): string[] =>
    places.flatMap(({ role, server }) => (role === 'api' && server !== null ? [server.url] : []));
  return {
    get kills() {
      return counts.kills;
    },
    get stops() {
      return counts.stops;
    },
    startMs,
    stopMs,
    urls,
    async replace(at, how) {
      const place = places[at];
      const server = place?.server ?? null;
      if (place === undefined || server === null) return;
      place.server = null;
      const begun = performance.now();
      if (how === 'kill') await server.kill();
      else await server.stop();
      if (how === 'stop') stopMs.push(performance.now() - begun);
      counts[how === 'kill' ? 'kills' : 'stops'] += 1;
      if (how === 'stop' && server.child.exitCode !== 0)
        throw new Error(`It was asked to stop:\n${server.output().slice(-2_000)}`);
      place.server = await start(place.role);
    },
    async ask(document, variables, token) {
      const deadline = Date.now() + PATIENCE_MS;
      for (;;) {
        const there = urls();
        const url = there[Math.floor(random() * there.length)];
        const answer =
          url === undefined
            ? null
            : await execute(url, document, variables, { token }).catch(() => null);
        const isFinal =
          answer !== null && !answer.errors.some(({ extensions }) => extensions.code === 'BUSY');
        if (isFinal) return answer;
        if (Date.now() > deadline)
          throw new Error(`There was no answer: ${JSON.stringify(answer)}`);
        await sleep(50);
      }
    },
    logs: () => all.flatMap((server) => server.logs()),
    stop: async () => {
      await Promise.all(all.map((server) => server.stop()));
    },
  };
}

/** Numbers from 0 to 1 that a seed decides (xorshift32), so that a run can be repeated. */
export function randomFrom(seed: number): () => number {
  let state = seed === 0 ? 1 : seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
