import { open } from 'node:fs/promises';
import { StartError } from '../start-error.js';
import { closedAbove, type Account, type Passage } from './account.js';
import { clusterOf } from './cluster.js';

/** In initdb and in Postgres: the first one after the lock for Postgres. */
export const PASSAGE_DESCRIPTOR = 4;
const INHERITED = `/proc/self/fd/${String(PASSAGE_DESCRIPTOR)}`;

/**
 * Root may keep DATA_DIR below a folder that is closed to the account that Postgres runs as, such as /root, or a
 * checkout made under the umask 077. Then the folder is opened here, and Postgres enters it through the descriptor,
 * because Linux checks the folders above only when a path is walked (proc_pid_fd(5)). No mode is changed.
 * @throws StartError on other systems
 */
export async function openPassage(folder: string, account: Account | null): Promise<Passage> {
  const closed = account && (await closedAbove(clusterOf(folder), account));
  if (closed === null) return { path: folder, descriptor: null, close: () => Promise.resolve() };
  if (process.platform !== 'linux') {
    throw new StartError(
      `Postgres runs as user ${String(account?.uid)} and cannot reach ${folder}, because ${closed} is closed to it: set DATA_DIR to a folder that it can reach, or start Talebank as an ordinary user.`,
    );
  }
  const handle = await open(folder);
  return { path: INHERITED, descriptor: handle.fd, close: () => handle.close() };
}

/** The folder for us, of a path that Postgres has written down. */
export const seenFromHere = (path: string, folder: string): string =>
  path.startsWith(`${INHERITED}/`) ? folder + path.slice(INHERITED.length) : path;
