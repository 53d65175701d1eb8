import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { until } from './faults.js';
import { freePort } from './free-port.js';
import { machineClock } from './machine.js';

const run = promisify(execFile);

/** A cluster of the Postgres that the operating system has, with the client programs of its version. */
export interface DebianPostgres {
  /** The folder of psql, pg_dump, pg_restore and createdb. */
  readonly programs: string;
  /** The address of a database for the role that owns it. */
  urlOf(database: string): string;
  /** The archive of the write-ahead log. */
  readonly archive: string;
  /** The words that run a command as the user of the cluster. */
  readonly asPostgres: string;
  /** A new, empty folder of that user. */
  newFolder(): Promise<string>;
  /** The address of the database `postgres` for the superuser. */
  readonly superuserUrl: string;
  close(): Promise<void>;
}

const VERSIONS = ['15', '16', '17', '18'];

export const programsOf = (): string => {
  const found = VERSIONS.map((version) => `/usr/lib/postgresql/${version}/bin`).find((folder) =>
    ['initdb', 'postgres', 'pg_dump'].every((program) => existsSync(join(folder, program))),
  );
  if (found === undefined)
    throw new Error('Install postgresql-15 or later: the runbooks dump and restore with it.');
  return found;
};

const idOf = async (flag: string, user: string): Promise<number> =>
  Number((await run('id', [flag, user])).stdout);

/** Postgres refuses to run as root. */
export const accountOf = async (): Promise<{ uid: number; gid: number } | null> =>
  process.getuid?.() === 0
    ? { uid: await idOf('-u', 'postgres'), gid: await idOf('-g', 'postgres') }
    : null;

async function newFolder(
  parent: string,
  account: { readonly uid: number; readonly gid: number } | null,
): Promise<string> {
  const made = await mkdtemp(join(parent, 'folder-'));
  if (account !== null) await chown(made, account.uid, account.gid);
  return made;
}

export const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => {
      resolve(false);
    });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });

/** Passwords are checked, so that a page about them cannot pass with a wrong one. */
const PASSWORD = 'cluster';

/** Starts a cluster with the role `talebank`, which owns the database `talebank` and may do nothing else. */
export async function startDebianPostgres(): Promise<DebianPostgres> {
  const programs = programsOf();
  const account = await accountOf();
  const folder = await mkdtemp(join(tmpdir(), 'talebank-debian-'));
  if (account !== null) await chown(folder, account.uid, account.gid);
  const options = { ...account, cwd: folder, env: { ...machineClock(), PATH: '/usr/bin:/bin' } };
  const cluster = join(folder, 'cluster');
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, PASSWORD);
  const initialised = [
    ...['-D', cluster, '-U', 'postgres', '-E', 'UTF8', '--no-sync'],
    ...['--auth=scram-sha-256', `--pwfile=${passwordFile}`],
  ];
  await run(join(programs, 'initdb'), initialised, options);
  const port = await freePort();
  const archive = join(folder, 'archive');
  await mkdir(archive);
  if (account !== null) await chown(archive, account.uid, account.gid);
  const server: ChildProcess = spawn(
    join(programs, 'postgres'),
    [
      ...['-D', cluster, '-k', folder, '-p', String(port)],
      ...[
        '-c',
        'listen_addresses=127.0.0.1',
        '-c',
        'fsync=off',
        '-c',
        'synchronous_commit=off',
        '-c',
        'jit=off',
        '-c',
        'archive_mode=on',
        '-c',
        `archive_command=test ! -f ${archive}/%f && cp %p ${archive}/%f`,
      ],
    ],
    { ...options, stdio: 'ignore' },
  );
  const superuserUrl = `postgresql://postgres:${PASSWORD}@127.0.0.1:${String(port)}/postgres`;
  await until('the cluster answers', () => answers(port));
  await until('the cluster is ready', async () => {
    const client = new pg.Client({ connectionString: superuserUrl });
    try {
      await client.connect();
      await client.query(`CREATE ROLE talebank LOGIN PASSWORD '${PASSWORD}'`);
      await client.query('CREATE DATABASE talebank OWNER talebank');
      return true;
    } catch (error) {
      // It is still starting.
      if ((error as { code?: string }).code !== '57P03') throw error;
      return false;
    } finally {
      await client.end();
    }
  });
  return {
    programs,
    archive,
    asPostgres: account === null ? 'env' : '/usr/sbin/runuser -u postgres --',
    newFolder: () => newFolder(folder, account),
    urlOf: (database) => `postgresql://talebank:${PASSWORD}@127.0.0.1:${String(port)}/${database}`,
    superuserUrl,
    close: async () => {
      const ended = once(server, 'exit');
      server.kill('SIGQUIT');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
