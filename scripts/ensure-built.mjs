/** Builds what an install without scripts has not built. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { setInterval } from 'node:timers';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const built = [
  'src/generated/prisma/client.ts',
  'dist/main.js',
  'web/dist/index.html',
  'web/graphiql/dist/index.html',
];

/** Builds in a process group of its own, so that a signal ends the whole tree of shells and programs. */
function build() {
  const windows = process.platform === 'win32';
  const child = spawn('npm', ['run', '--silent', 'build'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: windows,
    detached: !windows,
  });
  const end = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // It has ended already.
    }
    process.exit(128 + constants.signals[signal]);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => end(signal));
  // npm may be killed without a word.
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) end('SIGTERM');
  }, 250).unref();
  child.once('exit', (code) => process.exit(code ?? 1));
}

if (!built.every((path) => existsSync(root + path))) build();
