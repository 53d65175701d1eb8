import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '../../domain/errors.js';

/**
 * The newest file of an anchor in ANCHOR_DIR, where the names begin with the instant.
 * @returns null when there is none
 */
export async function newestAnchorIn(folder: string): Promise<string | null> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
  const last = names
    .filter((name) => name.endsWith('.jsonl'))
    .sort()
    .at(-1);
  return last === undefined ? null : join(folder, last);
}
