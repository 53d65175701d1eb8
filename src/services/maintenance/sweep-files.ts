import type { App } from '../app.js';
import { dropLoose, readUnknownFiles } from './files.sql.js';
import { giveWay, type TaskOutcome } from './task.js';

/** Younger files are spared, because their rows may not be committed yet. */
const SPARED_MS = 24 * 3_600_000;
/** A sentence that is in no recording by then belongs to a narration that was not tried again. */
const LOOSE_KEPT_DAYS = 30;
const AT_ONCE = 500;

/**
 * Removes unneeded files, because a killed process may leave them: unfinished files, sentences of narrations that were
 * given up, and files without a row in the database. Idempotent, and safe to interrupt. `processed` is the number of
 * files that it listed.
 */
export async function sweepFiles(app: App, signal?: AbortSignal): Promise<TaskOutcome> {
  const before = new Date(Date.now() - SPARED_MS);
  let changed = await app.storage.sweepUnfinished(before);
  for (let dropped = AT_ONCE; dropped === AT_ONCE;) {
    signal?.throwIfAborted();
    const keys = await dropLoose(app.db, { days: LOOSE_KEPT_DAYS, limit: AT_ONCE });
    dropped = keys.length;
    const files = keys.filter((key) => key !== null);
    await app.storage.remove(files);
    changed += files.length;
  }
  let processed = 0;
  let old: string[] = [];
  for await (const { key, modifiedAt } of app.storage.list()) {
    signal?.throwIfAborted();
    processed += 1;
    if (modifiedAt < before) old.push(key);
    if (old.length < AT_ONCE) continue;
    changed += await removeUnknown(app, old, before);
    old = [];
  }
  changed += await removeUnknown(app, old, before);
  return { processed, changed };
}

async function removeUnknown(app: App, keys: readonly string[], before: Date): Promise<number> {
  if (keys.length === 0) return 0;
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
