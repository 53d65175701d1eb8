import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accountOf, answers } from './debian-postgres.js';
import { freePort } from './free-port.js';
import { until } from './faults.js';
import { machineClock } from './machine.js';

const PROGRAM = '/usr/sbin/pgbouncer';

/** PgBouncer in session mode, in front of the Postgres of an address. */
export interface Pooler {
  /** The same database through PgBouncer. */
  readonly url: string;
  /** Ends it without a word, so that all of its connections are lost, and starts it again. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** As docs/operations.md has it, except for how clients prove who they are. */
const configurationOf = (target: URL, port: number, folder: string): string => `
[databases]
* = host=${target.hostname} port=${target.port} user=${target.username} password=${decodeURIComponent(target.password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${String(port)}
unix_socket_dir =
auth_type = trust
auth_file = ${join(folder, 'users.txt')}
pool_mode = session
default_pool_size = 60
max_client_conn = 200
server_connect_timeout = 3
server_login_retry = 1
query_wait_timeout = 5
`;

export async function startPgBouncer(databaseUrl: string): Promise<Pooler> {
  if (!existsSync(PROGRAM)) throw new Error('Install pgbouncer.');
  const account = await accountOf();
  const folder = await mkdtemp(join(tmpdir(), 'talebank-pgbouncer-'));
  if (account !== null) await chown(folder, account.uid, account.gid);
  const [port, target] = [await freePort(), new URL(databaseUrl)];
  const path = join(folder, 'pgbouncer.ini');
  await writeFile(path, configurationOf(target, port, folder));
  await writeFile(join(folder, 'users.txt'), `"${target.username}" ""\n`);
  const start = async (): Promise<ChildProcess> => {
    const child = spawn(PROGRAM, ['--quiet', path], {
      ...account,
      cwd: folder,
      env: { ...machineClock(), PATH: '/usr/sbin:/usr/bin:/bin' },
      stdio: 'ignore',
    });
    await until('PgBouncer answers', () => answers(port));
    return child;
  };
  const end = async (child: ChildProcess): Promise<void> => {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  let running = await start();
  const url = new URL(databaseUrl);
  // PgBouncer refuses `options`.
  [url.host, url.password, url.search] = [`127.0.0.1:${String(port)}`, '', ''];
  return {
    url: url.href,
    restart: async () => {
      await end(running);
      running = await start();
    },
    close: async () => {
      await end(running);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
