import { randomUUID } from 'node:crypto';
import {
  chmod,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  stat,
  type FileHandle,
} from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf } from '../../domain/errors.js';
import { StartError } from '../start-error.js';

/**
 * Files and folders that no other local user can read. `mkdir` and `open` take the umask away from the mode
 * that they are given, so that every mode is set once more. Windows has no modes: nothing is checked there.
 */
const HAS_MODES = process.platform !== 'win32';

export const FOLDER_MODE = 0o700;
export const PUBLIC_FOLDER_MODE = 0o755;
const FILE_MODE = 0o600;
const WRITABLE_BY_OTHERS = 0o022;
const OPEN_TO_OTHERS = 0o077;

/** Makes a folder with mode 0700, and its missing parents with `parentMode`. One that exists stays as it is. */
export async function makePrivateFolder(path: string, parentMode = FOLDER_MODE): Promise<void> {
  await makeFolder(path, FOLDER_MODE, parentMode);
}

/** Makes a folder that everybody can read and enter, whatever the umask is. */
export async function makePublicFolder(path: string): Promise<void> {
  await makeFolder(path, PUBLIC_FOLDER_MODE, PUBLIC_FOLDER_MODE);
}

async function makeFolder(path: string, mode: number, parentMode: number): Promise<void> {
  try {
    await mkdir(path, { mode });
  } catch (error) {
    const code = codeOf(error);
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(path) === path) throw error;
    await makeFolder(dirname(path), parentMode, parentMode);
    return makeFolder(path, mode, parentMode);
  }
  await chmod(path, mode);
}

/** Opens a new file with mode 0600 to write to it. @throws when there is anything of that name */
export async function openPrivateFile(path: string): Promise<FileHandle> {
  const file = await open(path, 'wx', FILE_MODE);
  await file.chmod(FILE_MODE);
  return file;
}

/**
 * Writes a whole file with mode 0600, or nothing: it gets its name when it is complete. A symbolic link of that
 * name is replaced, not followed.
 * @param owner who gets the file, when that is not this account
 */
export async function writePrivateFile(
  path: string,
  content: string,
  owner: { readonly uid: number; readonly gid: number } | null = null,
): Promise<void> {
  const partial = `${path}.${randomUUID()}.partial`;
  const file = await openPrivateFile(partial);
  try {
    await file.writeFile(content);
    await file.sync();
    if (owner !== null) await file.chown(owner.uid, owner.gid);
    await file.close();
    await rename(partial, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(partial, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** Without it a crash may forget the new name although the bytes are safe. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What a file or folder must be. */
export interface Expected {
  readonly kind: 'folder' | 'file';
  /** Default: this account. */
  readonly ownerUid?: number;
  /** Default: 0700 for folders, 0600 for files. */
  readonly mode?: number;
  /** What to run when other users may write to it. Default: chmod on the path alone. */
  readonly mend?: string;
  /** What says where it is. Default: DATA_DIR. */
  readonly variable?: string;
}

/**
 * Checks what an earlier start, or another program, has left. A mode that is only too open for reading, or that of a
 * new mount, is set to what it must be. A symbolic link of this account or of root is followed, and what it leads to is checked.
 * @returns the mode that was found; null when there is nothing
 * @throws StartError when it belongs to another user, or when other users may have written to it
 */
export async function requirePrivate(path: string, expected: Expected): Promise<number | null> {
  const ownUid = process.geteuid?.();
  if (!HAS_MODES || ownUid === undefined) return null;
  const { variable = 'DATA_DIR' } = expected;
  const link = await unlessMissing(lstat(path));
  if (link === null) return null;
  if (link.isSymbolicLink() && link.uid !== ownUid && link.uid !== 0) {
    throw new StartError(
      `${path} is a symbolic link that belongs to user ${String(link.uid)}, but it must belong to user ${String(ownUid)}: remove the link, or set another ${variable}.`,
    );
  }
  const found = await stat(path);
  const { kind, ownerUid = ownUid, mode = kind === 'folder' ? FOLDER_MODE : FILE_MODE } = expected;
  if (kind === 'folder' ? !found.isDirectory() : !found.isFile())
    throw new StartError(`${path} must be a ${kind}: remove it, or set another ${variable}.`);
  const foundMode = found.mode & 0o7777;
  const is = `${path} belongs to user ${String(found.uid)} and has mode ${octal(foundMode)}`;
  if (found.uid !== ownerUid) {
    throw new StartError(
      `${is}, but must belong to user ${String(ownerUid)}: check what is in it, and run \`chown -R ${String(ownerUid)} ${quoted(path)}\`, or set another ${variable}.`,
    );
  }
  if ((foundMode & WRITABLE_BY_OTHERS) !== 0 && !(await isNewMount(path, foundMode))) {
    const mend = expected.mend ?? `chmod ${octal(mode).slice(1)} ${quoted(path)}`;
    throw new StartError(
      `${is}, so that other users can write to it, but must have mode ${octal(mode)}: check what is in it, and run \`${mend}\`.`,
    );
  }
  if (foundMode !== mode) await chmod(path, mode);
  return foundMode;
}

/** A folder in memory is mounted with this mode, and while it is empty no other user has changed anything in it. */
const NEW_MOUNT_MODE = 0o1777;

const isNewMount = async (path: string, mode: number): Promise<boolean> =>
  mode === NEW_MOUNT_MODE && (await readdir(path)).length === 0;

/** Whether a folder of this mode kept every other user out. */
export const isClosed = (mode: number): boolean => (mode & OPEN_TO_OTHERS) === 0;

const octal = (mode: number): string => mode.toString(8).padStart(4, '0');

/** For a shell. */
export const quoted = (path: string): string =>
  /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;

async function unlessMissing<Found>(looked: Promise<Found>): Promise<Found | null> {
  try {
    return await looked;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}
