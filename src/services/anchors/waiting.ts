import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../domain/errors.js';

/** Where a file of an anchor waits until every place has it. */
export const waitingFolderOf = (dataDir: string): string => join(dataDir, 'anchors');

/** The files of anchors in a DATA_DIR. One that is being made is among them. */
export interface WaitingAnchors {
  readonly count: number;
  /** How long the oldest has been there. 0 when there is none. */
  readonly oldestSeconds: number;
}

/**
 * Counts the files that wait in a DATA_DIR. A missing folder has none.
 * @throws when the folder or a file cannot be read
 */
export async function readWaitingAnchors(dataDir: string): Promise<WaitingAnchors> {
  const folder = waitingFolderOf(dataDir);
  let count = 0;
  let oldestSeconds = 0;
  for (const name of await namesIn(folder)) {
    // It may have been delivered meanwhile.
    const file = await unlessGone(stat(join(folder, name)));
    if (file === null) continue;
    count += 1;
    oldestSeconds = Math.max(oldestSeconds, (Date.now() - file.mtimeMs) / 1000);
  }
  return { count, oldestSeconds };
}

const namesIn = async (folder: string): Promise<string[]> =>
  ((await unlessGone(readdir(folder))) ?? []).filter((name) => name.endsWith('.jsonl'));

/** @throws when something is there but cannot be read */
const unlessGone = <Value>(read: Promise<Value>): Promise<Value | null> =>
  read.catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  });
