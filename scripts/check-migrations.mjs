/** Compares the database that the migrations make with schema.prisma, in a data folder that is removed afterwards. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = mkdtempSync(join(tmpdir(), 'talebank-migrations-'));
const { status } = spawnSync(
  process.execPath,
  [fileURLToPath(new URL('../dist/cli/migrate.js', import.meta.url)), '--check'],
  { env: { ...process.env, DATA_DIR: folder }, stdio: 'inherit' },
);
rmSync(folder, { recursive: true, force: true });
process.exit(status ?? 1);
