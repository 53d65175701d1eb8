import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type * as Embedded from '../../src/infra/postgres/embedded.js';
import { compiled } from './compiled.js';
import { V8_FLAGS } from './machine.js';
import type { Environment } from './talebank.js';

const dist = (path: string): string =>
  fileURLToPath(new URL(`../../dist/${path}`, import.meta.url));

export interface Ended {
  readonly code: number | null;
  /** On both of its channels. */
  readonly said: string;
}

/** Starts a server that must not start. @param under a program that starts it */
export const refusal = (environment: Environment, under: readonly string[] = []): Promise<Ended> =>
  run([...under, process.execPath, ...V8_FLAGS, dist('main.js')], {
    PORT: '0',
    SEED: 'false',
    ...environment,
  });

/** One of the commands, for example `ledger verify`. */
export const command = (
  name: string,
  args: readonly string[],
  environment: Environment,
  under: readonly string[] = [],
): Promise<Ended> =>
  run([...under, process.execPath, ...V8_FLAGS, dist(`cli/${name}.js`), ...args], environment);

async function run(
  [program = '', ...args]: readonly string[],
  environment: Environment,
): Promise<Ended> {
  const child = spawn(program, args, {
    env: {
      PATH: process.env['PATH'] ?? '',
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const read = (chunk: Buffer): void => void (said += chunk.toString());
  child.stdout.on('data', read);
  child.stderr.on('data', read);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, said: said.trim() };
}

/** The address of the embedded Postgres that runs below DATA_DIR, as the commands find it. */
export async function embeddedAddress(dataDir: string): Promise<string> {
  const { findRunningPostgres } = await compiled<typeof Embedded>('infra/postgres/embedded.js');
  const found = await findRunningPostgres(join(dataDir, 'postgres'));
  if (found === null) throw new Error(`No Postgres runs in ${dataDir}.`);
  return found;
}

/** The folder of its socket. */
export const socketFolderOf = async (dataDir: string): Promise<string> =>
  new URL(await embeddedAddress(dataDir)).searchParams.get('host') ?? '';

/** The process ids of Postgres below DATA_DIR. */
export async function postmasterOf(dataDir: string): Promise<number> {
  const file = await readFile(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'), 'utf8');
  return Number(file.split('\n')[0]);
}

/** A local user who is neither root nor the account of Postgres. */
const STRANGER = { uid: 65_534, gid: 65_534 };
/** Only root can become another user. */
export const CAN_BE_A_STRANGER = process.getuid?.() === 0;
/** Puts a program under the stranger's account. */
export const asStranger = [
  'setpriv',
  `--reuid=${String(STRANGER.uid)}`,
  `--regid=${String(STRANGER.gid)}`,
  '--clear-groups',
];

/** @returns what the shell says to the stranger, with its exit code */
export async function strangerRuns(script: string): Promise<Ended> {
  return new Promise((resolve) => {
    execFile('sh', ['-c', script], { ...STRANGER, cwd: '/' }, (error, stdout, stderr) => {
      resolve({
        code: error === null ? 0 : Number(error.code ?? 1),
        said: `${stdout}${stderr}`.trim(),
      });
    });
  });
}
