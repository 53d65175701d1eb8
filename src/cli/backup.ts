/**
 * `npm run backup -- FOLDER [--without-recordings] [--anchor FILE] [--key FILE]`: writes the database, with its keys,
 * and the recordings into a new folder while the server runs, and then verifies the ledger. Ends with 1 when the ledger
 * is not sound or differs from the anchor; the backup is complete even then.
 */
import '../environment.js';
import type { Config } from '../config.js';
import { dumpDatabase } from '../infra/backup/dump.js';
import { takeBackupFolder } from '../infra/backup/folder.js';
import { writeManifest, type Manifest } from '../infra/backup/manifest.js';
import { saveRecordings } from '../infra/backup/recordings.js';
import { openStorage } from '../infra/storage/open.js';
import { release } from '../services/metrics/release.js';
import { readBackupOptions, type BackupOptions } from './backup-options.js';
import { counted } from './counted.js';
import { runCommand, withDatabase } from './database.js';
import { print, proveDatabase } from './proof.js';

const USAGE = `Usage:
  npm run backup -- FOLDER [--without-recordings] [--anchor FILE] [--key FILE]
FOLDER must be new or empty. The ledger is compared with the anchor in FILE, or with the newest one in ANCHOR_DIR.`;

const readOptions = (): BackupOptions => readBackupOptions('backup', USAGE);

/** @returns the digest of the manifest */
async function writeBackup(
  databaseUrl: string,
  config: Config,
  { folder, withRecordings }: BackupOptions,
): Promise<string> {
  const database = await dumpDatabase(databaseUrl, folder);
  const rows = database.tables.reduce((sum, table) => sum + table.rows, 0);
  print(`Database: ${counted(rows, 'row', 'rows')} of ${database.at}.`);
  // Files after rows, so that every recording that the rows name was there when its file was copied.
  const recordings = withRecordings ? await writeRecordings(config, folder) : null;
  return writeManifest(folder, {
    format: 1,
    release: release(),
    ...database,
    recordings,
    environmentKeys: keysInEnvironment(config),
  });
}

async function writeRecordings(config: Config, folder: string): Promise<Manifest['recordings']> {
  const storage = await openStorage(config);
  try {
    const recordings = await saveRecordings(storage, folder);
    const { files, lengthBytes, missing } = recordings;
    print(`Recordings: ${counted(files, 'file', 'files')} with ${String(lengthBytes)} bytes.`);
    if (missing > 0)
      print(`${counted(missing, 'file was', 'files were')} deleted during the backup.`);
    return recordings;
  } finally {
    await storage.close();
  }
}

const keysInEnvironment = (config: Config): Manifest['environmentKeys'] => ({
  tokens: config.tokens.keys?.map(({ kid }) => kid) ?? null,
  anchors: config.anchors.keys?.map(({ x }) => x) ?? null,
});

async function backUp(databaseUrl: string, config: Config): Promise<number> {
  const options = readOptions();
  const folder = await takeBackupFolder(options.folder);
  try {
    if (folder.isResumed) print('An interrupted backup is made again. Its recordings are kept.');
    const digest = await writeBackup(databaseUrl, config, options);
    await folder.finish();
    print(`The backup in ${options.folder} is complete. Its SHA-256 is ${digest}.`);
  } finally {
    folder.release();
  }
  return proveDatabase(databaseUrl, config, options);
}

await runCommand(() => {
  readOptions();
  return withDatabase({ create: false }, backUp);
});
