import { fork, type ChildProcess } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Logger } from '../log.js';
import { StartError } from '../start-error.js';
import { postgresAccount, type Account, type Passage } from './account.js';
import { findBinaries, type PostgresBinaries } from './binaries.js';
import {
  initialiseOnce,
  keepPassword,
  openFolder,
  ownerPasswordOf,
  prepareFolder,
  writeAccessRules,
} from './cluster.js';
import { accepts, addressOf, HAS_SOCKETS, openSocketDoor, openTcpDoor, type Door } from './door.js';
import { holdFolder, type Hold } from './hold.js';
import type { GuardianOrders, GuardianReport } from './orders.js';
import { DATABASE, OWNER, SUPERUSER, transferToOwner } from './owner.js';
import { openPassage } from './passage.js';
import { lockForPostgres, readPostmaster, removeStalePidFile } from './predecessor.js';

export interface EmbeddedPostgres {
  readonly url: string;
  /** Stops Postgres in order. */
  close(): Promise<void>;
}

interface EmbeddedOptions {
  /** Absolute; holds everything. */
  readonly folder: string;
  readonly log: Logger;
  /** Called when Postgres ends without `close`. */
  readonly onExit?: () => void;
}

/**
 * Makes the folder of the embedded Postgres, and takes the right to start it. Nothing else in the folder may be touched
 * before.
 * @throws StartError when another process has it, or when others may have changed the folder
 */
export async function holdEmbeddedDatabase(folder: string, log: Logger): Promise<Hold> {
  await openFolder(folder, await postgresAccount());
  return holdFolder(folder, log);
}

/**
 * Starts the embedded Postgres as the server and its commands use it: on a private Unix socket, except on Windows,
 * which has none. The address is that of the role that owns the database and has no other rights.
 * @param options.hold of the folder, which the caller releases after Postgres is closed
 * @throws StartError
 */
export async function openEmbeddedDatabase(
  options: EmbeddedOptions & { readonly hold: Hold },
): Promise<EmbeddedPostgres> {
  const { folder, log } = options;
  const postgres = await startAt(HAS_SOCKETS ? openSocketDoor : openTcpDoor, options);
  const { door, superuserPassword, close } = postgres;
  try {
    const ownerPassword = await keepPassword(ownerPasswordOf(folder));
    const transferred = await transferToOwner(door, { superuserPassword, ownerPassword });
    if (transferred > 0)
      log.info(
        { event: 'database-given', objects: transferred },
        'database given to the role that owns it',
      );
    return { url: ownerAddress(door, ownerPassword), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * Starts a Postgres for tests and benchmarks: on 127.0.0.1, so that a proxy can stand in front of it, and with the
 * address of its superuser, who can make databases. The folder is made when it is missing. Postgres stops with this
 * process, however that ends.
 * @param options.settings of the Postgres server
 * @param options.environment variables that Postgres gets besides those that it needs, such as a library to preload
 * @throws StartError
 */
export async function startEmbeddedPostgres(
  options: EmbeddedOptions & {
    readonly settings?: Readonly<Record<string, string>>;
    readonly environment?: Readonly<Record<string, string>>;
  },
): Promise<EmbeddedPostgres> {
  const hold = await holdEmbeddedDatabase(options.folder, options.log);
  const { door, superuserPassword, close, ended } = await startAt(openTcpDoor, options).catch(
    (error: unknown) => {
      hold.release();
      throw error;
    },
  );
  void ended.then(() => {
    hold.release();
  });
  const superuser = { user: SUPERUSER, password: superuserPassword, database: DATABASE };
  return { url: addressOf(door, superuser, SESSION), close };
}

/** The settings of every session except those that prepare the cluster. */
const SESSION = { timezone: 'UTC' };

const ownerAddress = (door: Door, password: string): string =>
  addressOf(door, { user: OWNER, password, database: DATABASE }, SESSION);

interface Started {
  readonly door: Door;
  readonly superuserPassword: string;
  readonly close: () => Promise<void>;
  /** Whether it was closed or not. */
  readonly ended: Promise<void>;
}

type StartOptions = Parameters<typeof startEmbeddedPostgres>[0];

/** Starts Postgres under its file lock, which is held as long as Postgres or one of its processes runs. */
async function startAt(openDoor: typeof openSocketDoor, options: StartOptions): Promise<Started> {
  const lock = await lockForPostgres(options.folder, options.log);
  try {
    const started = await startLocked(openDoor, options, lock.descriptor);
    void started.ended.then(() => {
      lock.release();
    });
    return started;
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function startLocked(
  openDoor: typeof openSocketDoor,
  options: StartOptions,
  lockDescriptor: number,
): Promise<Started> {
  const { folder } = options;
  await removeStalePidFile(folder);
  const account = await postgresAccount();
  const passage = await openPassage(folder, account);
  try {
    return await startThrough(passage, { ...options, account, openDoor, lockDescriptor });
  } finally {
    // The processes that need the descriptor have inherited it.
    await passage.close();
  }
}

type Prepared = StartOptions & {
  readonly account: Account | null;
  readonly openDoor: typeof openSocketDoor;
  readonly lockDescriptor: number;
};

async function startThrough(passage: Passage, options: Prepared): Promise<Started> {
  const { folder, account, lockDescriptor, settings = {}, environment = {} } = options;
  const { path, descriptor } = passage;
  const { initdb, postgres } = await findBinaries({
    account,
    folder: descriptor === null ? folder : null,
  });
  const { superuserPassword, door } = await prepare({ ...options, initdb, passage });
  const guardian = fork(fileURLToPath(new URL('guardian.js', import.meta.url)), {
    detached: true,
    // The places of the last two are GUARDIAN_LOCK_DESCRIPTOR and GUARDIAN_FOLDER_DESCRIPTOR.
    stdio: ['ignore', 'ignore', 'ignore', 'ipc', lockDescriptor, descriptor ?? 'ignore'],
    env: { PATH: process.env['PATH'] ?? '' },
    execArgv: [],
  });
  await ordered(guardian, { postgres, folder: path, door, account, settings, environment });
  let closing = false;
  const ended = new Promise<void>((resolve) => {
    guardian.once('exit', () => {
      resolve();
      if (!closing) options.onExit?.();
    });
  });
  return {
    door,
    superuserPassword,
    ended,
    close: async () => {
      closing = true;
      if (guardian.exitCode === null && guardian.signalCode === null) guardian.send('stop');
      await ended;
    },
  };
}

/** Prepares everything that must be on the disk before Postgres starts. */
async function prepare(
  options: Prepared & {
    readonly initdb: PostgresBinaries['initdb'];
    readonly passage: Passage;
  },
): Promise<Pick<Started, 'door' | 'superuserPassword'>> {
  const { folder, log, account, openDoor } = options;
  try {
    const superuserPassword = await prepareFolder(folder, account);
    if (await initialiseOnce(folder, options))
      log.info({ event: 'database-created' }, 'embedded database created');
    await writeAccessRules(folder, account);
    return { superuserPassword, door: await openDoor(folder, account) };
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`DATA_DIR cannot be written: ${(error as Error).message}`);
  }
}

/**
 * The embedded Postgres that another process of ours has started on a folder.
 * @returns the address for the database's owner; null when none runs there
 * @throws StartError when an earlier release runs there, which has no owner
 */
export async function findRunningPostgres(folder: string): Promise<string | null> {
  const { door } = await readPostmaster(folder);
  if (door === null || !(await accepts(door))) return null;
  const password = await readFile(ownerPasswordOf(folder), 'utf8').catch(() => null);
  if (password === null) {
    throw new StartError(
      `The database in ${folder} was started by an earlier release: stop that, and start this one once.`,
    );
  }
  return ownerAddress(door, password);
}

function ordered(guardian: ChildProcess, orders: GuardianOrders): Promise<void> {
  return new Promise((resolve, reject) => {
    guardian.once('error', reject);
    guardian.once('exit', () => {
      reject(new StartError('The embedded database ended before it was ready.'));
    });
    guardian.once('message', (report: GuardianReport) => {
      if (report.kind === 'ready') resolve();
      else reject(new StartError(`The embedded database did not start: ${report.reason}`));
    });
    guardian.send(orders);
  });
}
