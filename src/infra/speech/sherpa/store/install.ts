import { randomUUID } from 'node:crypto';
import { access, lstat, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { makePrivateFolder, syncFolder, writePrivateFile } from '../../../storage/private-files.js';
import { isModelName, readModel, STATED, type Model } from '../catalog.js';
import { sha256OfFile } from '../checksum.js';
import { ARCHIVE_LIMITS, RefusedArchive, unpackArchive, type ArchiveLimits } from './archive.js';
import { download } from './download.js';

/** A model that an operator wants to add. */
export interface ModelOrder {
  /** An address that begins with https://, or the path of a file. */
  readonly source: string;
  /** What the archive must have; null to accept any. */
  readonly sha256: string | null;
  /** The name of its folder; null for that in the archive. */
  readonly name: string | null;
  /** BCP 47, if the model states none or wrong ones; null otherwise. */
  readonly languages: readonly string[] | null;
  readonly limits?: ArchiveLimits;
}

/** A folder with this prefix is not finished, and is not offered. */
const UNFINISHED = '.incoming-';
/** An older one was left behind by a process that has ended. */
const LEFT_BEHIND_MS = 24 * 60 * 60 * 1000;

/**
 * Adds a model to the folder of models. It is unpacked beside the others, examined there, and gets its name when all
 * checks have passed, so that a server never reads an incomplete one.
 * @param examine is given the folder that has the model's folder, and throws when the model cannot be used
 * @returns the model, and the SHA-256 of the archive
 * @throws RefusedArchive, UnusableModel
 */
export async function addModel(
  voices: string,
  order: ModelOrder,
  examine: (folder: string, model: Model) => Promise<void>,
): Promise<{ readonly model: Model; readonly sha256: string }> {
  await makePrivateFolder(voices);
  await removeLeftBehind(voices);
  const stage = join(voices, `${UNFINISHED}${randomUUID()}`);
  await makePrivateFolder(stage);
  try {
    const { archive, sha256 } = await fetchArchive(order, stage);
    const unpacked = join(stage, '.unpacked');
    await mkdir(unpacked);
    await unpackArchive(archive, unpacked, order.limits);
    const name = await putUnderName(unpacked, stage, order);
    if (await isThere(join(voices, name)))
      throw new RefusedArchive(`there is a model ${name} already: remove it first, or use --name`);
    if (order.languages !== null)
      await writePrivateFile(
        join(stage, name, STATED),
        JSON.stringify({ languages: order.languages }),
      );
    await examine(stage, await readModel(stage, name));
    await rename(join(stage, name), join(voices, name));
    await syncFolder(voices);
    return { model: await readModel(voices, name), sha256 };
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

async function fetchArchive(
  { source, sha256, limits = ARCHIVE_LIMITS }: ModelOrder,
  stage: string,
): Promise<{ archive: string; sha256: string }> {
  const isAddress = /^[a-z][a-z0-9+.-]+:\/\//i.test(source);
  const archive = isAddress ? join(stage, '.archive') : source;
  if (!isAddress && !(await isFile(source))) throw new RefusedArchive(`there is no file ${source}`);
  const found = isAddress
    ? await download(source, archive, { bytesMax: limits.bytesMax })
    : await sha256OfFile(source);
  if (sha256 !== null && found !== sha256.toLowerCase())
    throw new RefusedArchive(
      `its SHA-256 is ${found}, which is not the one that was given: download it again, or check --sha256`,
    );
  return { archive, sha256: found };
}

const isThere = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );
const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );

/** Moves the only folder of an archive, or all of its files, to the name of the model. @returns the name */
async function putUnderName(
  unpacked: string,
  stage: string,
  { source, name: wanted }: ModelOrder,
): Promise<string> {
  const entries = await readdir(unpacked, { withFileTypes: true });
  const [only] = entries;
  const isOne = entries.length === 1 && only?.isDirectory() === true;
  const name = wanted ?? (isOne ? only.name : nameOfArchive(source));
  if (!isModelName(name))
    throw new RefusedArchive(`${JSON.stringify(name)} is not a valid name of a model: use --name`);
  await rename(isOne ? join(unpacked, only.name) : unpacked, join(stage, name));
  return name;
}

/** `a/my-voice.tar.bz2` is my-voice. */
const nameOfArchive = (source: string): string =>
  basename(URL.canParse(source) ? new URL(source).pathname : source).replace(
    /(?:\.tar)?\.(?:bz2|gz|tar|tgz|tbz2)$/,
    '',
  );

async function removeLeftBehind(voices: string): Promise<void> {
  for (const name of await readdir(voices)) {
    if (!name.startsWith(UNFINISHED)) continue;
    // Another process may remove its folder meanwhile.
    const found = await stat(join(voices, name)).catch(() => null);
    if (found !== null && Date.now() - found.mtimeMs > LEFT_BEHIND_MS)
      await rm(join(voices, name), { recursive: true, force: true });
  }
}

/** Removes a model. It is renamed first, so that no process finds a part of it. @throws RefusedArchive */
export async function removeModel(voices: string, name: string): Promise<void> {
  const path = join(voices, name);
  const isKnown =
    isModelName(name) &&
    (await access(path).then(
      () => true,
      () => false,
    ));
  if (!isKnown) throw new RefusedArchive(`there is no model ${name} in ${voices}`);
  const gone = join(voices, `${UNFINISHED}${randomUUID()}`);
  await rename(path, gone);
  await rm(gone, { recursive: true, force: true });
}

/** States the languages of a model. @throws RefusedArchive */
export async function stateLanguages(
  voices: string,
  name: string,
  languages: readonly string[],
): Promise<Model> {
  if (!isModelName(name) || !(await isThere(join(voices, name))))
    throw new RefusedArchive(`there is no model ${name} in ${voices}`);
  await writePrivateFile(join(voices, name, STATED), JSON.stringify({ languages }));
  return readModel(voices, name);
}
