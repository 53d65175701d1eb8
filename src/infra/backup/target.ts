import type pg from 'pg';
import { reachDatabase } from '../connections/reach.js';
import { MIGRATION_LOCK } from '../migrations.js';
import { StartError } from '../start-error.js';

/** An arbitrary number that no other lock has. One restore at a time holds the lock. */
const RESTORE_LOCK = 7_246_002;

/** How far a restore came before it was interrupted. */
export type Stage = 'begun' | 'loaded';

/** A database that is being restored. The lock of restores is held until `close`. */
export interface Target {
  readonly databaseUrl: string;
  readonly client: pg.Client;
  readonly stage: Stage;
  /** Notes the stage, in the transaction of the caller if there is one. */
  note(stage: Stage): Promise<void>;
  /** Removes the note, so that processes may start. */
  finish(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Takes an empty database for a restore, or one in which a restore of the same backup was interrupted. A note in the
 * database keeps processes from starting on it until the restore is finished.
 * @param digest of the backup
 * @throws StartError when the database is not empty
 */
export async function takeTarget(databaseUrl: string, digest: string): Promise<Target> {
  const { client, databaseUrl: settled } = await reachDatabase(databaseUrl, { create: true });
  const close = async (): Promise<void> => client.end().catch(() => undefined);
  try {
    const stage = await take(client, digest);
    return {
      databaseUrl: settled,
      client,
      stage,
      note: async (next) => {
        await client.query('UPDATE talebank_restore.unfinished SET stage = $1', [next]);
      },
      finish: async () => {
        await client.query('DROP SCHEMA talebank_restore CASCADE');
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function take(client: pg.Client, digest: string): Promise<Stage> {
  const { rows } = await client.query<{ taken: boolean }>(
    'SELECT pg_try_advisory_lock($1) AS taken',
    [RESTORE_LOCK],
  );
  if (rows[0]?.taken !== true)
    throw new StartError('DATABASE_URL: another restore is writing to this database.');
  // A process that starts at this moment migrates the database under the same lock.
  await client.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
  try {
    const begun = await readNote(client);
    if (begun !== null) return stageOf(begun, digest);
    await requireEmpty(client);
    await client.query(
      `BEGIN; CREATE SCHEMA talebank_restore;
       CREATE TABLE talebank_restore.unfinished (digest text NOT NULL, stage text NOT NULL);
       INSERT INTO talebank_restore.unfinished VALUES (${client.escapeLiteral(digest)}, 'begun');
       COMMIT`,
    );
    return 'begun';
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
  }
}

interface Note {
  readonly digest: string;
  readonly stage: Stage;
}

/** The note of a restore that has not ended; null for none. */
async function readNote(client: pg.Client): Promise<Note | null> {
  const { rows: found } = await client.query<{ there: boolean }>(
    `SELECT to_regclass('talebank_restore.unfinished') IS NOT NULL AS there`,
  );
  if (found[0]?.there !== true) return null;
  const { rows } = await client.query<Note>(
    'SELECT digest, stage FROM talebank_restore.unfinished',
  );
  return rows[0] ?? null;
}

function stageOf(begun: Note, digest: string): Stage {
  if (begun.digest === digest) return begun.stage;
  throw new StartError(
    `DATABASE_URL: the restore of another backup (SHA-256 ${begun.digest}) has begun in this database and has not ended: finish that one, or name an empty database.`,
  );
}

async function requireEmpty(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT format('%s.%s', n.nspname, c.relname) AS name
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname IN ('public', 'pgboss', 'audit') AND c.relkind IN ('r', 'p', 'v', 'f')
       AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                       AND d.objid = c.oid AND d.deptype = 'e')
     ORDER BY 1 LIMIT 1`,
  );
  const [first] = rows;
  if (first !== undefined)
    throw new StartError(
      `DATABASE_URL: the database ${JSON.stringify(client.database)} is not empty, because it has ${first.name}. A restore needs an empty database, or one that does not exist yet.`,
    );
}
