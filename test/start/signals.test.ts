import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { isAlive, until } from '../support/faults.js';
import { postmasterOf } from '../support/starting.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let dataDir: string;
const started: number[] = [];

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'talebank-signals-'));
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));
afterEach(() => {
  for (const pid of started.splice(0)) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
});

interface Launched {
  /** The program that was started: npm, or a shell. */
  readonly child: ChildProcess;
  readonly server: number;
  readonly postmaster: number;
  readonly output: () => string;
  /** Both have ended, and so has every process that could still write. */
  readonly hasEnded: () => boolean;
}

/** Runs a program that starts a server, in a process group of its own, as a terminal does. */
async function launch(
  [program = '', ...args]: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Launched> {
  const child = spawn(program, args, {
    cwd: ROOT,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: dataDir,
      npm_config_update_notifier: 'false',
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
      DATA_DIR: dataDir,
      PORT: '0',
      SEED: 'false',
      LOG_FORMAT: 'json',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  started.push(child.pid ?? 0);
  let output = '';
  let isClosed = false;
  child.once('close', () => (isClosed = true));
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await until('it listens', () => output.includes('"listening"')).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${output}`);
  });
  const note = await readFile(join(dataDir, 'postgres', 'server.lock'), 'utf8');
  const server = Number(/process (\d+)/.exec(note)?.[1]);
  const postmaster = await postmasterOf(dataDir);
  started.push(server);
  return {
    child,
    server,
    postmaster,
    output: () => output,
    hasEnded: () => isClosed && !isAlive(server) && !isAlive(postmaster),
  };
}

const stoppings = ({ output }: Launched): number => output().split('"msg":"stopping"').length - 1;

const NPM_START = ['npm', 'start'];

test.each([
  ['SIGTERM to npm', 'SIGTERM', 'npm'],
  ['SIGKILL to npm', 'SIGKILL', 'npm'],
  ['SIGHUP to the server', 'SIGHUP', 'server'],
  ['SIGINT to all of them, as Ctrl-C sends it', 'SIGINT', 'group'],
  ['SIGTERM to all of them, as systemd sends it', 'SIGTERM', 'group'],
] as const)('npm start ends with all its processes: %s', async (_what, signal, target) => {
  const launched = await launch(NPM_START);
  const npm = launched.child.pid ?? 0;
  process.kill({ npm, server: launched.server, group: -npm }[target], signal);
  await until('all have ended', launched.hasEnded);
  // Once, and to its end: not cut off by a signal that came by two ways.
  expect(stoppings(launched)).toBe(1);
  expect(launched.output()).not.toContain('did not stop in order');
  await until('npm has ended', () => !isAlive(npm));
  if (signal === 'SIGTERM') {
    const log = await readFile(join(dataDir, 'postgres', 'server.lock'), 'utf8');
    expect(log).toMatch(/^stopping: /);
  }
});

test('a shell between npm and the server hides neither', async () => {
  // As where npm is told to use another shell, and for scripts that do not replace it.
  const shell = join(dataDir, 'shell.sh');
  await writeFile(shell, '#!/bin/sh\nshift\nexec sh -c "${1#exec }; true"\n', { mode: 0o755 });
  const launched = await launch(NPM_START, {
    npm_config_script_shell: shell,
  });
  process.kill(launched.child.pid ?? 0, 'SIGKILL');
  await until('all have ended', launched.hasEnded);
});

test('a server that npm did not start outlives its parent', async () => {
  const script = `'${process.execPath}' dist/main.js & exec sleep 600`;
  // Variables of a script of another package, which starts a server in the background.
  const launched = await launch(['sh', '-c', script], {
    npm_lifecycle_event: 'start',
    npm_package_json: join(tmpdir(), 'package.json'),
  });
  const exited = once(launched.child, 'exit');
  launched.child.kill('SIGKILL');
  await exited;
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(isAlive(launched.server)).toBe(true);
  expect(stoppings(launched)).toBe(0);
  process.kill(launched.server, 'SIGTERM');
  await until('it has ended', launched.hasEnded);
});

test.each(['SIGTERM', 'SIGKILL'] as const)(
  'a build before the start ends with npm: %s',
  async (signal) => {
    const checkout = await mkdtemp(join(dataDir, 'checkout-'));
    await cp(join(ROOT, 'scripts'), join(checkout, 'scripts'), { recursive: true });
    const { scripts } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    // A build that takes long, and says so.
    const build = 'sleep 600.5 & echo "built by $!"; wait';
    await writeFile(
      join(checkout, 'package.json'),
      JSON.stringify({ name: 'unbuilt', type: 'module', scripts: { ...scripts, build } }),
    );
    const npm = spawn('npm', ['start'], {
      cwd: checkout,
      env: { PATH: process.env['PATH'] ?? '', HOME: dataDir },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let output = '';
    npm.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    await until('it builds', () => /built by \d+/.test(output));
    const builder = Number(/built by (\d+)/.exec(output)?.[1]);
    started.push(builder);
    npm.kill(signal);
    await until('the build has ended', () => !isAlive(builder));
    expect(output).not.toContain('dist/main.js');
  },
);
