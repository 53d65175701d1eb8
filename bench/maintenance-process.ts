/** A worker that runs one task and reports what it took: maintenance-process.ts URL TASK */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import type * as AppModule from '../src/open-app.ts';
import type * as ConfigModule from '../src/config.ts';
import type * as Maintenance from '../src/services/maintenance/run-maintenance.ts';
import type { MaintenanceTask } from '../src/services/tasks.ts';
import type { TaskReport } from './maintenance.ts';
import { compiled } from './support.ts';

const [databaseUrl = '', task = ''] = process.argv.slice(2);
const { readConfig } = await compiled<typeof ConfigModule>('config.js');
const { openApp } = await compiled<typeof AppModule>('open-app.js');
const { runMaintenance } = await compiled<typeof Maintenance>(
  'services/maintenance/run-maintenance.js',
);
const folder = await mkdtemp(join(tmpdir(), 'talebank-bench-'));
const app = await openApp({
  config: readConfig({ DATA_DIR: folder, ROLE: 'api', MONTHLY_CREDITS: '5' }),
  // A line for each movement is written as in production, to nowhere.
  log: pino({ level: 'info' }, pino.destination({ dest: '/dev/null', sync: true })),
  databaseUrl,
  publicUrl: () => 'http://bench',
});
const rss = (): number => process.memoryUsage.rss() / 1024 / 1024;
const rssBefore = rss();
let rssMost = rssBefore;
const watching = setInterval(() => {
  rssMost = Math.max(rssMost, rss());
}, 100);
const { processed, changed, durationMs } = await runMaintenance(app, task as MaintenanceTask);
clearInterval(watching);
const report: TaskReport = { processed, changed, durationMs, rssBefore, rssMost };
process.send?.(report);
await app.close(1000);
await rm(folder, { recursive: true, force: true });
process.exit(0);
