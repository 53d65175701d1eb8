import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { startEmbeddedPostgres } from '../../dist/infra/postgres/embedded.js';

const MIGRATE = fileURLToPath(new URL('../../dist/cli/migrate.js', import.meta.url));
const run = promisify(execFile);
const TEMPLATE = 'talebank_template';

/** One cluster for the whole run, with a migrated database that every test file copies. */
export default async function setUp() {
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
  });
  globalThis.talebankTestCluster = { postgres, folder };
  // More than a hundred servers are started, each of which would compile the same files anew.
  process.env.NODE_COMPILE_CACHE = join(folder, 'compiled');
  const url = new URL(postgres.url);
  url.pathname = `/${TEMPLATE}`;
  await run(process.execPath, [MIGRATE], { env: { DATABASE_URL: url.href } });
  process.env.TALEBANK_TEST_TEMPLATE = url.href;
}
