/**
 * `npm run restore -- FOLDER [--digest SHA-256] [--without-recordings] [--anchor FILE] [--key FILE]`: checks a backup,
 * and writes it into an empty database and the storage of the recordings. A backup of an earlier release is migrated.
 * Then it verifies the ledger, and ends with 1 when it is not sound or differs from the anchor. A restore that was
 * interrupted continues when the same command is run again.
 */
import '../environment.js';
import type { Config } from '../config.js';
import { requireUnchanged } from '../infra/backup/hashed-files.js';
import { loadDatabase } from '../infra/backup/load.js';
import { readManifest, tableFileOf, type Manifest } from '../infra/backup/manifest.js';
import { makeQueueSchema } from '../infra/backup/queue-schema.js';
import { loadRecordings, requireRecordings } from '../infra/backup/recordings.js';
import { takeTarget, type Target } from '../infra/backup/target.js';
import { prepareDatabase } from '../infra/migrations.js';
import { readMigrations } from '../infra/migrations/engine.js';
import { checksumsOf } from '../infra/migrations/history.js';
import { StartError } from '../infra/start-error.js';
import { openStorage } from '../infra/storage/open.js';
import { MIGRATIONS, openDataDir } from '../installation.js';
import { readBackupOptions, type BackupOptions } from './backup-options.js';
import { counted } from './counted.js';
import { runCommand, withDatabase } from './database.js';
import { print, proveDatabase } from './proof.js';

const USAGE = `Usage:
  npm run restore -- FOLDER [--digest SHA-256] [--without-recordings] [--anchor FILE] [--key FILE]
FOLDER is one that \`npm run backup\` made. The database must be empty. The ledger is compared with the anchor in FILE, or
with the newest one in ANCHOR_DIR.`;

const readOptions = (): BackupOptions => readBackupOptions('restore', USAGE);

interface Backup {
  readonly manifest: Manifest;
  readonly digest: string;
}

/** Reads all of a backup before anything is written. @throws StartError when it is not as it was made */
async function checkBackup(options: BackupOptions): Promise<Backup> {
  const { folder } = options;
  const backup = await readManifest(folder);
  if (options.digest !== undefined && options.digest !== backup.digest)
    throw new StartError(
      `The manifest must have the SHA-256 ${options.digest}, but has ${backup.digest}: name the folder of the right backup.`,
    );
  const { tables, recordings, at, release } = backup.manifest;
  for (const table of tables) await requireUnchanged(tableFileOf(folder, table), table);
  if (recordings !== null && options.withRecordings) await requireRecordings(folder, recordings);
  await requireKnownMigrations(backup.manifest);
  print(`The backup of ${at}, made by release ${release}, is as it was written.`);
  return backup;
}

async function requireKnownMigrations({ migrations, release }: Manifest): Promise<void> {
  const known = await readMigrations(MIGRATIONS);
  const unknown = migrations.find(
    ({ name, checksum }) =>
      !known.some((one) => one.name === name && checksumsOf(one.sql).includes(checksum)),
  );
  if (unknown !== undefined)
    throw new StartError(
      `The backup has the migration ${unknown.name}, which this release does not have or has with other contents: restore with release ${release} or a later one.`,
    );
}

/** Says which keys the operator must provide, because the backup does not contain them. */
function printMissingKeys({ environmentKeys }: Manifest, config: Config): void {
  const tokens = config.tokens.keys?.map(({ kid }) => kid) ?? [];
  const anchors = config.anchors.keys?.map(({ x }) => x) ?? [];
  if (environmentKeys.tokens?.some((kid) => !tokens.includes(kid)) === true)
    print(
      'JWT_PRIVATE_KEYS lacks keys that the backup was made with, so every device will have to sign in again.',
    );
  if (environmentKeys.anchors?.some((x) => !anchors.includes(x)) === true)
    print('ANCHOR_PRIVATE_KEYS lacks keys that the backup was made with.');
}

async function restoreDatabase(target: Target, folder: string, manifest: Manifest): Promise<void> {
  const { databaseUrl, client } = target;
  if (target.stage === 'begun') {
    const only = manifest.migrations.map(({ name }) => name);
    await prepareDatabase(databaseUrl, MIGRATIONS, { retry: true, restoring: { only } });
    await makeQueueSchema(databaseUrl);
    await loadDatabase(client, folder, manifest, () => target.note('loaded'));
    const rows = manifest.tables.reduce((sum, table) => sum + table.rows, 0);
    print(`Database: ${counted(rows, 'row', 'rows')}.`);
  } else print('Database: loaded before the interruption.');
  const { applied } = await prepareDatabase(databaseUrl, MIGRATIONS, {
    retry: true,
    restoring: {},
  });
  if (applied.length > 0) print(`Applied ${applied.join(', ')}.`);
}

async function restoreRecordings(config: Config, folder: string): Promise<void> {
  const storage = await openStorage(config);
  try {
    const { written, kept } = await loadRecordings(folder, storage);
    print(`Recordings: ${counted(written, 'file', 'files')} written, ${String(kept)} there.`);
  } finally {
    await storage.close();
  }
}

async function restore(
  given: string,
  config: Config,
  { options, backup }: { readonly options: BackupOptions; readonly backup: Backup },
): Promise<number> {
  const { manifest, digest } = backup;
  const target = await takeTarget(given, digest);
  try {
    await restoreDatabase(target, options.folder, manifest);
    if (manifest.recordings !== null && options.withRecordings) {
      await openDataDir(config);
      await restoreRecordings(config, options.folder);
    }
    await target.finish();
  } finally {
    await target.close();
  }
  printMissingKeys(manifest, config);
  return proveDatabase(target.databaseUrl, config, options);
}

await runCommand(async () => {
  const options = readOptions();
  const backup = await checkBackup(options);
  return withDatabase({ create: true }, (url, config) => restore(url, config, { options, backup }));
});
