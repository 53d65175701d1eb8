import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './faults.js';
import { createDatabase, type TestDatabase } from './cluster.js';
import { expectSoundLedger } from './invariants.js';
import { machineClock, V8_FLAGS } from './machine.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const START_TIMEOUT_MS = 240_000;

/** A process of the server, started as an operator would. */
export interface ServerProcess {
  /** '' for a worker. */
  readonly url: string;
  readonly child: ChildProcess;
  /** What it has logged so far, an object a line. */
  logs(): Record<string, unknown>[];
  /** The same, as it stands there. */
  output(): string;
  /** Asks it to stop, and waits. */
  stop(): Promise<void>;
  /** Ends it without a word, and waits. */
  kill(): Promise<void>;
}

export type Environment = Readonly<Record<string, string>>;

/** How a server is started, where it is not as an operator would. */
export interface Unusually {
  /** What Node is told to load first; it can talk to the test. */
  readonly before?: string | undefined;
  /** A program that starts it. */
  readonly under?: readonly string[];
  /** The program of another release. */
  readonly main?: string;
}

/** Starts a server and waits until it says that it listens. */
export async function startServer(
  environment: Environment,
  { before, under = [], main = MAIN }: Unusually = {},
): Promise<ServerProcess> {
  const loaded = before === undefined ? [] : ['--import', before];
  const [program, ...args] = [...under, process.execPath, ...V8_FLAGS, ...loaded, main];
  const child = spawn(program, args, {
    env: {
      ...machineClock(),
      PATH: process.env['PATH'] ?? '',
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
      PORT: '0',
      LOG_FORMAT: 'json',
      SEED: 'false',
      // Tests ask more often than people do; those of the limits say otherwise.
      RATE_LIMIT_FACTOR: '100000',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe', ...(before === undefined ? [] : (['ipc'] as const))],
  });
  let output = '';
  const logs = (): Record<string, unknown>[] =>
    output
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (why: string): void => {
      reject(new Error(`The server ${why}:\n${output.slice(-2000)}`));
    };
    const timer = setTimeout(() => {
      // No test knows this process, and jest would wait for its end.
      child.kill('SIGKILL');
      fail('did not start in time');
    }, START_TIMEOUT_MS);
    child.once('exit', (code) => {
      clearTimeout(timer);
      fail(`ended with ${String(code)}`);
    });
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const ready = logs().find((line) => line['msg'] === 'listening');
      if (ready === undefined) return;
      clearTimeout(timer);
      resolve((ready['url'] as string | null) ?? '');
    };
    child.stdout?.on('data', read);
    child.stderr?.on('data', read);
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  };
  return {
    url,
    child,
    logs,
    output: () => output,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

/** The first such line of the log. It may come a moment after its event, because the lines of a burst are written together. */
export async function loggedBy(
  server: ServerProcess,
  isIt: (line: Record<string, unknown>) => boolean,
): Promise<Record<string, unknown> | undefined> {
  await until('it is logged', () => server.logs().some(isIt));
  return server.logs().find(isIt);
}

export interface Talebank {
  readonly url: string;
  readonly server: ServerProcess;
  readonly database: TestDatabase;
  readonly dataDir: string;
  /** Another process on the same database and files. */
  join(environment?: Environment, unusually?: Unusually): Promise<ServerProcess>;
  /** Stops everything, after checking that every point is accounted for. */
  close(): Promise<void>;
}

export const ADMIN = { email: 'admin@example.com', password: 'administrator' } as const;

/**
 * A server on a fresh database, with an administrator.
 * @param clockAt the instant at which the ledger's clock starts; without it, the ledger has the machine's time
 */
export async function startTalebank(
  environment: Environment = {},
  { clockAt }: { clockAt?: string } = {},
): Promise<Talebank> {
  const [database, dataDir] = await Promise.all([
    createDatabase({ clockAt }),
    mkdtemp(join(tmpdir(), 'talebank-data-')),
  ]);
  const shared = {
    DATABASE_URL: database.url,
    DATA_DIR: dataDir,
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
    ...environment,
  };
  const processes: ServerProcess[] = [];
  const joinIn: Talebank['join'] = async (more = {}, unusually = {}) => {
    const server = await startServer({ ...shared, ...more }, unusually);
    processes.push(server);
    return server;
  };
  const server = await joinIn();
  return {
    url: server.url,
    server,
    database,
    dataDir,
    join: joinIn,
    close: async () => {
      try {
        await expectSoundLedger(database);
      } finally {
        await Promise.all(processes.map((one) => one.stop()));
        await database.drop();
        await rm(dataDir, { recursive: true, force: true });
      }
    },
  };
}
