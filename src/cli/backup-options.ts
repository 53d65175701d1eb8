import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { StartError } from '../infra/start-error.js';

/** What the commands that make and restore backups are told. */
export interface BackupOptions {
  readonly folder: string;
  readonly withRecordings: boolean;
  /** The file of the anchor with which the ledger is compared. */
  readonly anchor: string | undefined;
  /** The file of the anchor's key. */
  readonly key: string | undefined;
  /** The SHA-256 that the manifest must have. Only for a restore. */
  readonly digest: string | undefined;
}

/** Reads the options of the command line. @throws StartError with the usage for an option that the command does not have */
export function readBackupOptions(command: 'backup' | 'restore', usage: string): BackupOptions {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        'without-recordings': { type: 'boolean', default: false },
        anchor: { type: 'string' },
        key: { type: 'string' },
        digest: { type: 'string' },
      },
    });
    const [folder, ...rest] = positionals;
    const { anchor, key, digest, 'without-recordings': without } = values;
    if (folder === undefined || rest.length > 0) throw new StartError(usage);
    if (command === 'backup' && digest !== undefined) throw new StartError(usage);
    return { folder: resolve(folder), withRecordings: !without, anchor, key, digest };
  } catch {
    throw new StartError(usage);
  }
}
