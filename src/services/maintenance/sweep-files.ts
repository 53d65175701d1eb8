import type { App } from '../app.js';
import { storageKey } from '../narrations/addresses.js';
import { eraseAbandoned } from '../narrations/deletion/delete-audio.js';
import { presentSamples } from '../narrations/samples/samples.js';
import { forgetFile } from '../narrations/synthesis/sentences.sql.js';
import { dropLoose, readSampleHashes, readUnknownFiles } from './files.sql.js';
import { giveWay, type TaskOutcome } from './task.js';

/** Younger files are spared, because their rows may not be committed yet. */
const SPARED_MS = 24 * 3_600_000;
/** A sentence that is in no recording by then belongs to a narration that was not tried again. */
const LOOSE_KEPT_DAYS = 30;
const AT_ONCE = 500;

/**
 * Removes unneeded files: unfinished files and files without a row in the database, which a killed process may leave;
 * sentences of narrations that were given up; recordings that no narration uses; and samples of voices that sound
 * otherwise now. Idempotent, and safe to interrupt. `processed` is the number of files that it listed.
 */
export async function sweepFiles(app: App, signal?: AbortSignal): Promise<TaskOutcome> {
  const before = new Date(Date.now() - SPARED_MS);
  let changed = await app.storage.sweepUnfinished(before);
  changed += await inBatches(() => removeLoose(app), signal);
  changed += await inBatches(() => eraseAbandoned(app, AT_ONCE), signal);
  const samples = await presentSamples(app);
  let processed = 0;
  let old: string[] = [];
  for await (const { key, modifiedAt } of app.storage.list()) {
    signal?.throwIfAborted();
    processed += 1;
    if (modifiedAt < before) old.push(key);
    if (old.length < AT_ONCE) continue;
    changed += await removeOld(app, old, { before, samples });
    old = [];
  }
  changed += await removeOld(app, old, { before, samples });
  return { processed, changed };
}

/** Repeats a batch until it is not full. @returns the sum */
async function inBatches(batch: () => Promise<number>, signal?: AbortSignal): Promise<number> {
  for (let all = 0; ;) {
    signal?.throwIfAborted();
    const count = await batch();
    all += count;
    if (count < AT_ONCE) return all;
  }
}

async function removeLoose(app: App): Promise<number> {
  const keys = await dropLoose(app.db, { days: LOOSE_KEPT_DAYS, limit: AT_ONCE });
  await app.storage.remove(keys.filter((key) => key !== null));
  return keys.length;
}

interface Limits {
  readonly before: Date;
  /** The hashes of samples that are needed. */
  readonly samples: ReadonlySet<string>;
}

async function removeOld(
  app: App,
  keys: readonly string[],
  { before, samples }: Limits,
): Promise<number> {
  if (keys.length === 0) return 0;
  return (await removeUnknown(app, keys, before)) + (await removeSamples(app, keys, samples));
}

/** A sample that another process makes again at this moment is made once more. */
async function removeSamples(
  app: App,
  keys: readonly string[],
  samples: ReadonlySet<string>,
): Promise<number> {
  const hashes = await readSampleHashes(app.db, keys);
  const files = hashes.filter((hash) => !samples.has(hash)).map((hash) => storageKey(hash, 'mp3'));
  for (const file of files) await forgetFile(app.db, file);
  await app.storage.remove(files);
  return files.length;
}

async function removeUnknown(app: App, keys: readonly string[], before: Date): Promise<number> {
  const startedAt = performance.now();
  let removed = 0;
  for (const key of await readUnknownFiles(app.db, keys)) {
    // Checked again just before the removal, because the file may have been remade since it was listed, or be about to
    // be used.
    const file = await app.storage.stat(key);
    if (file === null || file.modifiedAt >= before) continue;
    if ((await readUnknownFiles(app.db, [key])).length === 0) continue;
    await app.storage.remove([key]);
    removed += 1;
  }
  if (removed > 0)
    app.log.info({ event: 'files-swept', files: removed }, 'files removed that no recording uses');
  await giveWay(app, startedAt);
  return removed;
}
