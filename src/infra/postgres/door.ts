import { once } from 'node:events';
import { chmod, chown, lstat, mkdtemp, stat } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codeOf } from '../../domain/errors.js';
import { makePrivateFolder, requirePrivate, FOLDER_MODE } from '../storage/private-files.js';
import { StartError } from '../start-error.js';
import { closedAbove, type Account } from './account.js';

/** Where the embedded Postgres is reached. */
export type Door =
  | {
      readonly kind: 'socket';
      /** Absolute; only we and the account of Postgres can enter it. */
      readonly folder: string;
      /** Whether the folder is outside of DATA_DIR, and removed when Postgres ends. */
      readonly temporary: boolean;
      readonly port: number;
    }
  | { readonly kind: 'tcp'; readonly port: number };

/** Part of the socket's name. Each socket has a folder of its own, so that all may have the same number. */
const SOCKET_PORT = 5432;
export const socketFiles = [
  `.s.PGSQL.${String(SOCKET_PORT)}`,
  `.s.PGSQL.${String(SOCKET_PORT)}.lock`,
];
/** In the folder of the embedded Postgres. */
export const socketOf = (folder: string): string => join(folder, 'socket');
/** `sun_path` in sockaddr_un holds 108 bytes on Linux and 104 on macOS, with the zero at its end. */
const SOCKET_PATH_BYTES_MAX = 103;

/** Unix sockets are preferred, because any local user can use up the connection slots of a TCP port. */
export const HAS_SOCKETS = process.platform !== 'win32';

/**
 * A folder for the socket, with mode 0700: `socket` in `folder`, or a new one for temporary files where that path is
 * too long or its file system has no sockets.
 * @throws StartError
 */
export async function openSocketDoor(folder: string, account: Account | null): Promise<Door> {
  const own = socketOf(folder);
  if (fits(own)) {
    await makePrivateFolder(own);
    const makes = await canListen(join(own, '.probe'));
    // Root makes the folder, and the account of Postgres gets it.
    if (account !== null && (await lstat(own)).uid === 0)
      await chown(own, account.uid, account.gid);
    await requirePrivate(own, { kind: 'folder', ...(account && { ownerUid: account.uid }) });
    if (makes) return { kind: 'socket', folder: own, temporary: false, port: SOCKET_PORT };
  }
  return openTemporaryDoor(account);
}

async function openTemporaryDoor(account: Account | null): Promise<Door> {
  const parent = tmpdir();
  const { mode, uid } = await stat(parent);
  const replaceable = (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
  if (replaceable || (uid !== 0 && uid !== process.geteuid?.())) {
    throw new StartError(
      `The socket of the embedded database needs a folder in ${parent}, where other users could replace it: set TMPDIR to a folder of your own, or DATA_DIR to a shorter path.`,
    );
  }
  const made = await mkdtemp(join(parent, 'talebank-'));
  await chmod(made, FOLDER_MODE);
  if (account !== null) {
    const closed = await closedAbove(made, account);
    if (closed !== null) {
      throw new StartError(
        `The socket of the embedded database needs a folder in ${parent}, but Postgres runs as user ${String(account.uid)}, and ${closed} is closed to it: set TMPDIR to a folder that it can reach, or DATA_DIR to a shorter path.`,
      );
    }
    await chown(made, account.uid, account.gid);
  }
  if (!fits(made)) {
    throw new StartError(
      `The path of the embedded database's socket in ${made} is longer than ${String(SOCKET_PATH_BYTES_MAX)} bytes: set TMPDIR or DATA_DIR to a shorter path.`,
    );
  }
  return { kind: 'socket', folder: made, temporary: true, port: SOCKET_PORT };
}

/** A line break would end the path in postmaster.pid, where other processes read it. */
const fits = (folder: string): boolean =>
  Buffer.byteLength(join(folder, socketFiles[0] ?? '')) <= SOCKET_PATH_BYTES_MAX &&
  !folder.includes('\n');

async function canListen(path: string): Promise<boolean> {
  const server = createServer().listen(path);
  try {
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether a process accepts connections there. The kernel answers for it, so that the result depends neither on how busy
 * the process is nor on its PID namespace.
 */
export async function accepts(door: Door): Promise<boolean> {
  const socket =
    door.kind === 'tcp'
      ? connect(door.port, '127.0.0.1')
      : connect(join(door.folder, `.s.PGSQL.${String(door.port)}`));
  try {
    await once(socket, 'connect');
    return true;
  } catch (error) {
    // The backlog of the socket is full, which means that a process listens.
    return codeOf(error) === 'EAGAIN';
  } finally {
    socket.destroy();
  }
}

/** A port on 127.0.0.1 that was free a moment ago. */
export async function openTcpDoor(): Promise<Door> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('No port.');
  return { kind: 'tcp', port: address.port };
}

/**
 * Parameters that `pg` would otherwise take from PGSSLMODE, PGREPLICATION and the like. They are set, because a server must
 * reach its own database whatever the environment says. Empty values would count as missing.
 */
const EXPLICIT = {
  sslmode: 'disable',
  sslnegotiation: 'postgres',
  client_encoding: 'UTF8',
  replication: 'false',
};

/**
 * A connection string for `pg`. A socket's folder is its parameter `host`, which survives `new URL()` and a change of
 * the path, as an encoded host name does not.
 * @param settings of the session. There must be one, or PGOPTIONS would count.
 */
export function addressOf(
  door: Door,
  { user, password, database }: { user: string; password: string; database: string },
  settings: Readonly<Record<string, string>>,
): string {
  const url = new URL(`postgresql://localhost:${String(door.port)}`);
  url.username = user;
  url.password = password;
  if (door.kind === 'tcp') url.hostname = '127.0.0.1';
  url.pathname = `/${database}`;
  const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${value}`);
  const parameters = {
    ...(door.kind === 'socket' && { host: door.folder }),
    ...EXPLICIT,
    options: options.join(' '),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}
