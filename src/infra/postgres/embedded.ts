import { execFile, fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { access, chmod, chown, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Logger } from '../log.js';
import { StartError } from '../start-error.js';
import {
  assertReachable,
  findBinaries,
  unprivilegedAccount,
  type Account,
  type PostgresBinaries,
} from './binaries.js';
import type { GuardianOrders, GuardianReport } from './orders.js';

const run = promisify(execFile);

export interface EmbeddedPostgres {
  readonly url: string;
  /** Stops Postgres in order. */
  close(): Promise<void>;
}

/**
 * Starts a real Postgres of our own, making its cluster when there is none. It listens on 127.0.0.1
 * at a free port with a password of its own, and stops with this process, however that ends.
 * @param folder holds everything; made when missing
 * @param onExit is told when Postgres ends although nobody closed it
 * @throws StartError
 */
export async function startEmbeddedPostgres(options: {
  folder: string;
  log: Logger;
  settings?: Readonly<Record<string, string>>;
  onExit?: () => void;
}): Promise<EmbeddedPostgres> {
  const { folder, log } = options;
  const cluster = join(folder, 'cluster');
  const [binaries, account] = await Promise.all([findBinaries(), unprivilegedAccount()]);
  const password = await prepare(folder, account);
  if (await isMissing(join(cluster, 'PG_VERSION'))) {
    await initialise(binaries, { folder, cluster, account });
    log.info('embedded database created');
  }
  const port = await freePort();
  const guardian = fork(fileURLToPath(new URL('guardian.js', import.meta.url)), {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { PATH: process.env['PATH'] ?? '' },
    execArgv: [],
  });
  await ordered(guardian, {
    postgres: binaries.postgres,
    folder: cluster,
    port,
    account,
    settings: options.settings ?? {},
  });
  let closing = false;
  guardian.once('exit', () => {
    if (!closing) options.onExit?.();
  });
  return {
    url: addressOf(password, port),
    close: async () => {
      closing = true;
      if (guardian.exitCode !== null || guardian.signalCode !== null) return;
      const ended = once(guardian, 'exit');
      guardian.send('stop');
      await ended;
    },
  };
}

/**
 * The embedded Postgres that another process of ours has started on a folder.
 * @returns its address; null when none runs there
 */
export async function findRunningPostgres(folder: string): Promise<string | null> {
  // https://www.postgresql.org/docs/current/storage-file-layout.html: process id, …, port in line 4.
  const lock = await readFile(join(folder, 'cluster', 'postmaster.pid'), 'utf8').catch(() => '');
  const [pid = '', , , port = ''] = lock.split('\n');
  if (!isAlive(Number(pid)) || !/^\d+$/.test(port)) return null;
  return addressOf(await readFile(join(folder, 'password'), 'utf8'), Number(port));
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const addressOf = (password: string, port: number): string =>
  `postgresql://postgres:${password}@127.0.0.1:${String(port)}/talebank`;

const isMissing = (path: string): Promise<boolean> =>
  access(path).then(
    () => false,
    () => true,
  );

/** Makes the folder and the password. @returns the password */
async function prepare(folder: string, account: Account | null): Promise<string> {
  const passwordFile = join(folder, 'password');
  try {
    await mkdir(folder, { recursive: true });
    if (account !== null) {
      await chmod(folder, 0o711);
      await assertReachable(folder);
    }
    const known = await readFile(passwordFile, 'utf8').catch(() => '');
    if (known !== '') return known;
    const password = randomBytes(24).toString('base64url');
    await writeFile(passwordFile, password, { mode: 0o600 });
    return password;
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`DATA_DIR cannot be written: ${(error as Error).message}`);
  }
}

async function initialise(
  { initdb }: PostgresBinaries,
  { folder, cluster, account }: { folder: string; cluster: string; account: Account | null },
): Promise<void> {
  // What an interrupted first start left behind is no cluster.
  await rm(cluster, { recursive: true, force: true });
  await mkdir(cluster, { mode: 0o700 });
  const passwordFile = join(folder, 'initdb-password');
  await writeFile(passwordFile, await readFile(join(folder, 'password')), { mode: 0o600 });
  if (account !== null) {
    await chown(cluster, account.uid, account.gid);
    await chown(passwordFile, account.uid, account.gid);
  }
  try {
    await run(
      initdb,
      [
        `--pgdata=${cluster}`,
        '--username=postgres',
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--locale=C',
        '--no-instructions',
      ],
      { ...(account ?? {}), cwd: folder, env: { LC_ALL: 'C', PATH: process.env['PATH'] ?? '' } },
    );
  } catch (error) {
    await rm(cluster, { recursive: true, force: true });
    throw new StartError(
      `The embedded database could not be created: ${(error as { stderr?: string }).stderr ?? String(error)}`.trim(),
    );
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No port.');
  return address.port;
}

function ordered(guardian: ChildProcess, orders: GuardianOrders): Promise<void> {
  return new Promise((resolve, reject) => {
    guardian.once('error', reject);
    guardian.once('exit', () => {
      reject(new StartError('The embedded database ended before it was ready.'));
    });
    guardian.once('message', (report: GuardianReport) => {
      if (report.kind === 'ready') resolve();
      else if (report.reason === 'IN_USE') {
        reject(
          new StartError(
            `Another Talebank is running on ${orders.folder}: stop it, or set another DATA_DIR.`,
          ),
        );
      } else reject(new StartError(`The embedded database did not start: ${report.reason}`));
    });
    guardian.send(orders);
  });
}
