import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ask } from './client.js';
import { operate } from './cluster.js';
import { startDebianPostgres, type DebianPostgres } from './debian-postgres.js';
import { expectSoundLedger } from './invariants.js';
import { machineClock } from './machine.js';
import { RunMaintenance } from './operations.js';
import {
  administrator,
  englishVoice,
  narrate,
  newListener,
  newStory,
  PASSWORD,
  waitForAudio,
  type Person,
} from './people.js';
import { ADMIN, startServer, type Environment, type ServerProcess } from './talebank.js';

/** The environment of commands: no variable of a developer, and the programs of the cluster's version first. */
const environmentOf = (programs: string, home: string): Record<string, string> => ({
  ...machineClock(),
  PATH: [
    programs,
    fileURLToPath(new URL('../../node_modules/.bin', import.meta.url)),
    '/usr/bin',
    '/bin',
  ].join(delimiter),
  // npm keeps its logs there.
  HOME: home,
  NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? '',
});

/** What every page of the runbooks can use: a server in operation, on a Postgres of the operating system. */
export interface Incidents {
  readonly server: ServerProcess;
  readonly url: string;
  readonly database: ReturnType<typeof operate>;
  /** Signs the administrator in anew, because keys may have been replaced. */
  admin(): Promise<Person>;
  /** The values of the placeholders that are the same for all pages. */
  readonly values: Readonly<Record<string, string>>;
  /** The environment of shells. */
  readonly environment: Environment;
  readonly voiceId: string;
  /** A listener with a narration that was paid for and is ready. */
  charged(): Promise<{ person: Person; audioId: string; transactionId: string; storyId: string }>;
  /** Makes an anchor. @returns its file */
  anchor(): Promise<string>;
  readonly postgres: DebianPostgres;
  /** A folder of its own. */
  folder(): Promise<string>;
  close(): Promise<void>;
}

export async function startIncidents(): Promise<Incidents> {
  const folder = await mkdtemp(join(tmpdir(), 'talebank-incidents-'));
  await chmod(folder, 0o755);
  const postgres = await startDebianPostgres();
  const databaseUrl = postgres.urlOf('talebank');
  const anchors = join(folder, 'anchors');
  const settings = {
    DATABASE_URL: databaseUrl,
    DATA_DIR: join(folder, 'data'),
    ANCHOR_DIR: anchors,
    // A page must find what is wrong before the server has repaired it.
    RECONCILE_REPAIR: 'false',
    ADMIN_EMAIL: ADMIN.email,
    ADMIN_PASSWORD: ADMIN.password,
  };
  const server = await startServer({
    ...settings,
    METRICS_PORT: '0',
    SYNTHESIS_RETRIES: '0',
    SYNTHESIS_RETRY_DELAY_SECONDS: '0',
  });
  const { url } = server;
  const database = operate(databaseUrl);
  const admin = (): Promise<Person> => administrator(url);
  const voiceId = await englishVoice(url);
  const environmentFile = join(folder, 'talebank.env');
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  // As docs/operations.md has it: a value with spaces and angle brackets, which a shell would take for redirections.
  await writeFile(environmentFile, `${lines.join('\n')}\nMAIL_FROM=Talebank <a@example.com>\n`);
  const metricsUrl = server.logs().find(({ msg }) => msg === 'listening')?.['metricsUrl'];
  const values = {
    ...settings,
    ENV_FILE: environmentFile,
    TALEBANK_URL: url,
    METRICS_URL: String(metricsUrl),
    PASSWORD,
    VOICE_ID: voiceId,
    QUEUE: 'send-mail',
    SUPERUSER_URL: postgres.superuserUrl,
    RESTORED_URL: postgres.urlOf('talebank_restored'),
  };
  let folders = 0;
  return {
    server,
    url,
    database,
    admin,
    values,
    environment: environmentOf(postgres.programs, folder),
    voiceId,
    postgres,
    charged: async () => {
      const person = await newListener(url);
      const { id: storyId } = await newStory(url, await admin());
      const { audioId } = await narrate(url, person, storyId, voiceId);
      await waitForAudio(url, person, audioId, ['READY']);
      const [debit] = await database.sql<{ id: string }>(
        `SELECT id FROM credit_transactions WHERE audio_id = $1 AND type = 'DEBIT'`,
        [audioId],
      );
      return { person, audioId, transactionId: debit?.id ?? '', storyId };
    },
    anchor: async () => {
      const { token } = await admin();
      await ask(url, RunMaintenance, { task: 'RECONCILE_CREDITS' }, token);
      const files = (await readdir(anchors)).filter((name) => name.endsWith('.jsonl')).sort();
      return join(anchors, files.at(-1) ?? '');
    },
    folder: async () => {
      folders += 1;
      const path = join(folder, `case-${String(folders)}`);
      // Under root the embedded Postgres runs as another user, who must be able to pass through.
      await mkdir(path, { mode: 0o755 });
      return path;
    },
    close: async () => {
      try {
        await expectSoundLedger(database);
      } finally {
        await server.stop();
        await database.close();
        await postgres.close();
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

/** A data folder with an embedded database, whose server has stopped. */
export async function makeEmbedded(folder: string): Promise<string> {
  const dataDir = join(folder, 'embedded');
  const server = await startServer({ DATA_DIR: dataDir });
  await server.stop();
  return dataDir;
}
