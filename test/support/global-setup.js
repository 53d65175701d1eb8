import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PgBoss } from 'pg-boss';
import { pino } from 'pino';
import { startEmbeddedPostgres } from '../../dist/infra/postgres/embedded.js';
import { bundle, isStale } from '../../scripts/bundle.mjs';
import { machineClock, V8_FLAGS } from './machine.js';

const MIGRATE = fileURLToPath(new URL('../../dist/cli/migrate.js', import.meta.url));
const run = promisify(execFile);
const TEMPLATE = 'talebank_template';

/** pg-boss makes its tables where there are none; a server on an empty database does so in test/start. */
async function installQueue(connectionString) {
  const boss = new PgBoss({ connectionString, supervise: false, schedule: false });
  await boss.start();
  await boss.stop({ graceful: false, close: true });
}

/** One cluster for the whole run, with a migrated database that every test file copies. */
export default async function setUp() {
  // So that servers have what was changed in dist by hand.
  if (await isStale()) await bundle();
  const folder = await mkdtemp(join(tmpdir(), 'talebank-test-'));
  const postgres = await startEmbeddedPostgres({
    folder,
    log: pino({ level: 'silent' }),
    // What is in it is thrown away, so nothing needs to reach the disk.
    settings: {
      fsync: 'off',
      full_page_writes: 'off',
      synchronous_commit: 'off',
      max_connections: '300',
    },
    environment: machineClock(),
  });
  globalThis.talebankTestCluster = { postgres, folder };
  // More than a hundred servers are started, each of which would compile the same files anew.
  process.env.NODE_COMPILE_CACHE = join(folder, 'compiled');
  const url = new URL(postgres.url);
  url.pathname = `/${TEMPLATE}`;
  await run(process.execPath, [...V8_FLAGS, MIGRATE], {
    env: { ...machineClock(), DATABASE_URL: url.href },
  });
  await installQueue(url.href);
  process.env.TALEBANK_TEST_TEMPLATE = url.href;
}
