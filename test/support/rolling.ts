import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { execute, send, type Answer } from './client.js';
import { until } from './faults.js';
import { Grant, Narrate, Refresh } from './operations.js';
import { newListener, type Person } from './people.js';
import type { ServerProcess } from './talebank.js';

/** Processes behind a proxy that is told before one of them stops. */
export interface Doors {
  add(server: ServerProcess): void;
  /** Sends no more requests to a process, waits for the ones that it has, and then stops it. */
  stop(server: ServerProcess): Promise<void>;
  /** Sends requests to one process of those that are open. */
  through<Result>(work: (url: string) => Promise<Result>): Promise<Result>;
}

export function createDoors(): Doors {
  const open: { readonly server: ServerProcess; busy: number }[] = [];
  let turn = 0;
  return {
    add: (server) => {
      open.push({ server, busy: 0 });
    },
    stop: async (server) => {
      const at = open.findIndex((door) => door.server === server);
      const [door] = open.splice(at, 1);
      await until('its requests are answered', () => door?.busy === 0);
      const ended = once(server.child, 'exit');
      await server.stop();
      await ended;
      const { exitCode } = server.child;
      if (exitCode !== 0) throw new Error(`A process ended with ${String(exitCode)}.`);
    },
    through: async (work) => {
      turn += 1;
      const door = open[turn % open.length];
      if (door === undefined) throw new Error('No process is open.');
      door.busy += 1;
      try {
        return await work(door.server.url);
      } finally {
        door.busy -= 1;
      }
    },
  };
}

export interface Load {
  /** How many answers of each kind there were: `me ok`, `narrate BUSY`, … */
  readonly answers: Map<string, number>;
  /** Acknowledged narrations. */
  readonly narrated: { readonly audioId: string; readonly person: Person }[];
  /** Idempotency keys of acknowledged grants, with the user. */
  readonly granted: Map<string, string>;
  /** Waits until every client has done everything once more. */
  round(): Promise<void>;
  stop(): Promise<void>;
}

const CLIENTS = 4;

const outcomeOf = ({ status, errors }: Answer<unknown>): string =>
  errors[0]?.extensions.code ?? (status === 200 ? 'ok' : String(status));

/**
 * Clients that refresh their tokens, read, narrate, fetch files and are granted points without a pause. The two requests
 * of one step go to different processes, so that each process meets what the other one has signed or written.
 * @param stories those that are narrated, one after the other
 * @param more what else each round does
 */
export function startLoad(
  doors: Doors,
  { stories, voiceId, admin }: { stories: readonly string[]; voiceId: string; admin: Person },
  more: (url: string) => Promise<string> = () => Promise.resolve('ok'),
): Load {
  const answers: Load['answers'] = new Map();
  const narrated: Load['narrated'] = [];
  const granted: Load['granted'] = new Map();
  const count = (what: string, outcome: string): boolean => {
    const name = `${what} ${outcome}`;
    answers.set(name, (answers.get(name) ?? 0) + 1);
    return outcome === 'ok';
  };
  const counted = async <Data>(
    what: string,
    ask: (url: string) => Promise<Answer<Data>>,
  ): Promise<Data | null> => {
    try {
      const answer = await doors.through(ask);
      return count(what, outcomeOf(answer)) ? answer.data : null;
    } catch (error) {
      count(what, String((error as Error).cause ?? error));
      return null;
    }
  };
  const rounds = Array.from({ length: CLIENTS }, () => 0);
  let going = true;
  const administrator = { ...admin };
  const renew = async (person: { token: string; refreshToken: string }): Promise<void> => {
    const { refreshToken } = person;
    const made = await counted('refresh', (url) => execute(url, Refresh, { refreshToken }));
    if (made === null) return;
    person.token = made.refreshSession.accessToken;
    person.refreshToken = made.refreshSession.refreshToken ?? '';
  };
  const read = async ({ token }: Person): Promise<void> => {
    await counted('me', (url) =>
      send(url, '{ me { id } stories(first: 5) { nodes { id title } } }', {}, { token }),
    );
    const month = new Date().toISOString().slice(0, 7);
    const query = `{ creditStatement(month: "${month}") { csvUrl } }`;
    const data = await counted('statement', (url) =>
      send<{ creditStatement: { csvUrl: string } }>(url, query, {}, { token }),
    );
    const address = new URL(data?.creditStatement.csvUrl ?? 'http://none');
    await counted('file', async (url) => {
      const { status, headers } = await fetch(new URL(`${address.pathname}${address.search}`, url));
      return { status, headers, data: null, errors: [] };
    });
  };
  const write = async (person: Person, at: number, round: number): Promise<void> => {
    const storyId = stories[(at + round) % stories.length] ?? '';
    const made = await counted('narrate', (url) =>
      execute(url, Narrate, { input: { storyId, voiceId } }, { token: person.token }),
    );
    if (made !== null) narrated.push({ audioId: made.synthesizeAudio.audio.id, person });
    const idempotencyKey = `load-${String(at)}-${String(round)}`;
    // The reason is found in the database, where the key is stored in another form.
    const reason = idempotencyKey;
    const input = { userId: person.id, amount: 1, source: 'ADD_ON' as const, reason };
    const given = await counted('grant', (url) =>
      execute(url, Grant, { input: { ...input, idempotencyKey } }, { token: administrator.token }),
    );
    if (given !== null) granted.set(idempotencyKey, person.id);
  };
  const client = async (at: number): Promise<void> => {
    const person = { ...(await doors.through(newListener)) };
    while (going) {
      const round = (rounds[at] ?? 0) + 1;
      // The administrator's session belongs to one client, because a refresh token is good for one refresh.
      if (at === 0) await renew(administrator);
      await renew(person);
      await read(person);
      await write(person, at, round);
      await counted('more', async (url) => {
        const outcome = await more(url);
        return {
          status: outcome === 'ok' ? 200 : Number(outcome),
          headers: new Headers(),
          data: null,
          errors: [],
        };
      });
      rounds[at] = round;
      await sleep(20);
    }
  };
  const clients = rounds.map((_none, at) => client(at));
  const failed = Promise.all(clients);
  failed.catch(() => undefined);
  return {
    answers,
    narrated,
    granted,
    round: async () => {
      const before = [...rounds];
      const isDone = (): boolean => rounds.every((round, at) => round >= (before[at] ?? 0) + 2);
      await until('every client has done everything', isDone);
    },
    stop: async () => {
      going = false;
      await failed;
    },
  };
}
