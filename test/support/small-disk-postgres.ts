import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { chmod, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { accountOf, programsOf } from './debian-postgres.js';
import { freePort } from './free-port.js';
import { until } from './faults.js';
import { machineClock } from './machine.js';

/**
 * A Postgres that keeps its tables and its log each on a small disk, and is started again whenever it ends, as by systemd.
 */
export interface SmallDiskPostgres {
  /** The address of the database `talebank`. */
  readonly url: string;
  /** How often it has said that the disk is full: of a statement, and of its log, so that it crashed. */
  troubles(): { readonly refused: number; readonly crashed: number };
  /** Fills a disk to the last block. */
  fill(disk: Disk): Promise<void>;
  makeRoom(disk: Disk): Promise<void>;
  close(): Promise<void>;
}

/** What is on a disk: the tables, or the write-ahead log. */
export type Disk = 'tables' | 'log';

/** Small segments of the log, so that one is soon full, and the next one needs room. */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  max_wal_size: '8MB',
  min_wal_size: '2MB',
  jit: 'off',
};

/**
 * The disks are a tmpfs each, in a mount namespace of their own, which ends with the last process in it. The shell stays there, and
 * starts Postgres again.
 */
const SCRIPT = `
  for disk in tables log; do
    mkdir "$FOLDER/$disk"
    mount -t tmpfs -o "size=$SIZE,uid=$OWNER,gid=$GROUP,mode=700" tmpfs "$FOLDER/$disk"
  done
  as_owner() { setpriv --reuid "$OWNER" --regid "$GROUP" --clear-groups "$@"; }
  as_owner "$PROGRAMS/initdb" -D "$FOLDER/tables/cluster" -U talebank -E UTF8 --auth=trust \
    --waldir "$FOLDER/log/segments" --wal-segsize=1 > /dev/null
  while true; do
    as_owner "$PROGRAMS/postgres" -D "$FOLDER/tables/cluster" -c unix_socket_directories= "$@" || true
    sleep 0.5
  done`;

/** Needs root, because only root may mount. */
export async function startSmallDiskPostgres({
  size,
}: {
  size: string;
}): Promise<SmallDiskPostgres> {
  const account = await accountOf();
  if (account === null) throw new Error('Run this as root, because it mounts a disk.');
  const folder = await mkdtemp(join(tmpdir(), 'talebank-small-disk-'));
  await chmod(folder, 0o755);
  const port = await freePort();
  const settings = Object.entries({ ...SETTINGS, port: String(port) });
  const shell = spawn(
    'unshare',
    [
      '--mount',
      '--pid',
      '--fork',
      '--kill-child',
      'sh',
      '-euc',
      SCRIPT,
      'sh',
      ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    {
      env: {
        ...machineClock(),
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        SIZE: size,
        OWNER: String(account.uid),
        GROUP: String(account.gid),
        FOLDER: folder,
        PROGRAMS: programsOf(),
      },
      stdio: ['ignore', 'inherit', 'pipe'],
    },
  );
  const troubles = { refused: 0, crashed: 0 };
  createInterface({ input: shell.stderr }).on('line', (line) => {
    if (!line.includes('No space left on device')) return;
    troubles[line.includes('ERROR:') ? 'refused' : 'crashed'] += 1;
  });
  const maintenance = `postgresql://talebank@127.0.0.1:${String(port)}/postgres`;
  await until('it answers', async () => {
    const client = new pg.Client({ connectionString: maintenance });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query('CREATE DATABASE talebank');
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  });
  // The disks as the shell sees them.
  const ballast = (disk: Disk): string =>
    `/proc/${String(shell.pid)}/root${join(folder, disk, 'ballast')}`;
  return {
    url: `postgresql://talebank@127.0.0.1:${String(port)}/talebank`,
    troubles: () => ({ ...troubles }),
    fill: async (disk) => {
      const file = await open(ballast(disk), 'a');
      try {
        for (;;) await file.write(Buffer.alloc(4096, 1));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        await file.close();
      }
    },
    makeRoom: (disk) => rm(ballast(disk)),
    close: async () => {
      const over = once(shell, 'exit');
      shell.kill('SIGKILL');
      await over;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
