import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, constants, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, codeOf } from '../../domain/errors.js';
import type { Config } from '../../config.js';
import { StartError } from '../start-error.js';
import { makePrivateFolder, openPrivateFile, requirePrivate, syncFolder } from './private-files.js';
import type { AnchorPlace } from './storage.js';

/** All that are configured: a folder, a bucket, both or none. */
export async function openAnchorPlaces({
  anchors,
}: Pick<Config, 'anchors'>): Promise<AnchorPlace[]> {
  const places: AnchorPlace[] = [];
  if (anchors.folder !== null) places.push(folderPlace(anchors.folder));
  if (anchors.bucket !== null) {
    const { bucketPlace } = await import('./anchor-bucket.js');
    places.push(bucketPlace(anchors.bucket, { lockDays: anchors.objectLockDays }));
  }
  return places;
}

const CHECKED = { kind: 'folder', variable: 'ANCHOR_DIR' } as const;

/** @throws StartError when ANCHOR_DIR cannot be written, or other local users may write to it or own it */
export async function requireAnchorFolder({ anchors }: Pick<Config, 'anchors'>): Promise<void> {
  const { folder } = anchors;
  if (folder === null) return;
  try {
    await makePrivateFolder(folder);
    await requirePrivate(folder, CHECKED);
    await access(folder, constants.W_OK | constants.X_OK);
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`ANCHOR_DIR is ${folder}, but cannot be written: ${messageOf(error)}`);
  }
}

const PARTIAL = '.partial';
/** What is older was left behind by a process that was killed. */
const PARTIAL_KEPT_MS = 86_400_000;

function folderPlace(folder: string): AnchorPlace {
  return {
    name: folder,
    async keep(fileName, path) {
      await makePrivateFolder(folder);
      await requirePrivate(folder, CHECKED);
      await sweepPartials(folder);
      const target = join(folder, fileName);
      if (await exists(target)) return;
      const partial = `${target}.${randomUUID()}${PARTIAL}`;
      const file = await openPrivateFile(partial);
      try {
        const bytes: AsyncIterable<Uint8Array> = createReadStream(path);
        for await (const chunk of bytes) await file.appendFile(chunk);
        await file.sync();
        await file.close();
        await rename(partial, target);
        await syncFolder(folder);
      } catch (error) {
        await file.close().catch(() => undefined);
        await rm(partial, { force: true }).catch(() => undefined);
        throw error;
      }
    },
    close: () => undefined,
  };
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    (error: unknown) => {
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    },
  );

async function sweepPartials(folder: string): Promise<void> {
  const before = Date.now() - PARTIAL_KEPT_MS;
  for (const name of await readdir(folder)) {
    if (!name.endsWith(PARTIAL)) continue;
    const found = await stat(join(folder, name)).catch(() => null);
    if (found !== null && found.mtimeMs < before) await rm(join(folder, name), { force: true });
  }
}
