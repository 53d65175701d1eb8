import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  openSync,
  statSync,
  writeSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { messageOf } from '../../domain/errors.js';
import { StartError } from '../start-error.js';

/** An exclusive lock of a whole file. */
export interface FileLock {
  /** Every process that inherits it holds the lock too, except on Windows, where it stays with the process that took it. */
  readonly descriptor: number;
  /** Replaces the text of the file, which tells others who holds it. */
  write(text: string): void;
  /** Closes the descriptor. Processes that inherited it still hold the lock. */
  release(): void;
}

/** Windows does not have all flags. */
const flags: Partial<typeof constants> = constants;
const { O_NOFOLLOW = 0 } = flags;

/**
 * Takes an open file description lock (fcntl F_OFD_SETLK on Linux, flock on macOS, LockFileEx on Windows). The kernel
 * releases it when the last process that holds the descriptor has ended, however that happens. It belongs to the file
 * itself, so that it counts in every PID, IPC, network and mount namespace of this kernel. The file is never removed,
 * because two processes could otherwise hold locks of two files of the same name.
 * @returns null when another descriptor holds it
 * @throws StartError when there are no such locks here, or the system's error when the file cannot be opened
 */
export function tryLockFile(path: string): FileLock | null {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | O_NOFOLLOW, 0o600);
  try {
    if (!lockDescriptor(descriptor, path) || !isNamed(descriptor, path)) {
      closeSync(descriptor);
      return null;
    }
    fchmodSync(descriptor, 0o600);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  let open = true;
  return {
    descriptor,
    write: (text) => {
      ftruncateSync(descriptor);
      writeSync(descriptor, text, 0);
    },
    release: () => {
      if (open) closeSync(descriptor);
      open = false;
    },
  };
}

/** The file may have been removed, and made again, between opening and locking it. */
function isNamed(descriptor: number, path: string): boolean {
  const named = statSync(path, { throwIfNoEntry: false });
  const { dev, ino } = fstatSync(descriptor);
  return named?.dev === dev && named.ino === ino;
}

type TryLock = (descriptor: number) => boolean;

/** Node has no file locks. The module is loaded on demand, because it may have no binary for this platform. */
let tryLock: TryLock | undefined;

function lockDescriptor(descriptor: number, path: string): boolean {
  try {
    tryLock ??= (
      createRequire(import.meta.url)('fs-native-extensions') as { readonly tryLock: TryLock }
    ).tryLock;
  } catch (error) {
    throw new StartError(
      `The embedded database needs file locks, but there are none for ${process.platform}-${process.arch}: set DATABASE_URL to a Postgres of your own. ${messageOf(error).split('\n')[0] ?? ''}`.trim(),
    );
  }
  try {
    return tryLock(descriptor);
  } catch (error) {
    throw new StartError(
      `${path} cannot be locked (${messageOf(error)}): set DATA_DIR to a folder on a local disk.`,
    );
  }
}
