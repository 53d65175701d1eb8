import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { OpenApp } from '../src/open-app.ts';
import type { UserId } from '../src/domain/ids.ts';
import type * as Reconcile from '../src/services/reconciliation/reconcile.ts';
import type { MaintenanceTask } from '../src/services/tasks.ts';
import { grantRequest, makeUsers, narrationRequest } from './accounts.ts';
import { measureBare } from './bare-maintenance.ts';
import { compiled, describeSpeed, measure, print, type Bench } from './support.ts';

/** `--size 1000000` for the long run. */
const size = Number(process.argv[process.argv.indexOf('--size') + 1]);
const SIZE = Number.isInteger(size) && process.argv.includes('--size') ? size : 50_000;
const CHILD = fileURLToPath(new URL('maintenance-process.ts', import.meta.url));
const DAY_MS = 86_400_000;

/** What a process of its own reports of a task. */
export interface TaskReport {
  readonly processed: number;
  readonly changed: number;
  readonly durationMs: number;
  /** Megabytes, at the start and at the most. */
  readonly rssBefore: number;
  readonly rssMost: number;
}

/** A task in a process of its own, as a worker runs it. */
async function runTask(databaseUrl: string, task: MaintenanceTask): Promise<TaskReport> {
  const child = fork(CHILD, [databaseUrl, task], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  const [report] = (await once(child, 'message')) as [TaskReport];
  await once(child, 'exit');
  return report;
}

function printTask(what: string, report: TaskReport, bare: number): void {
  const { changed, durationMs, rssBefore, rssMost } = report;
  print(
    `  ${what.padEnd(34)} ${changed.toLocaleString('en').padStart(9)} in ${(durationMs / 1000).toFixed(1)} s  ` +
      `${((changed / durationMs) * 1000).toFixed(0)}/s  bare Postgres ${bare.toFixed(0)}/s × ${(((changed / durationMs) * 1000) / bare).toFixed(2)}  ` +
      `memory ${rssBefore.toFixed(0)} → at most ${rssMost.toFixed(0)} MB`,
  );
}

const moveClock = (app: OpenApp, byMs: number): Promise<unknown> =>
  app.db.$executeRawUnsafe(
    `CREATE OR REPLACE FUNCTION ledger_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
       SELECT date_trunc('milliseconds', clock_timestamp()) + interval '${String(byMs)} milliseconds' $$`,
  );

/** Lots that have lapsed, one a user. */
async function makeLapsed({ app }: Bench, users: readonly UserId[]): Promise<void> {
  await moveClock(app, -10 * DAY_MS);
  const expiresAt = new Date(Date.now() - 5 * DAY_MS);
  for (let start = 0; start < users.length; start += 10_000) {
    const some = users.slice(start, start + 10_000);
    await Promise.all(some.map((userId) => app.ledger.grant(grantRequest(userId, 5, expiresAt))));
  }
  await moveClock(app, 0);
}

/** The sweep and the monthly grant alone, then beside debits of others. */
export async function benchMaintenance(bench: Bench): Promise<void> {
  const { app, databaseUrl } = bench;
  print(`\nTasks over ${SIZE.toLocaleString('en')} users, in a process of their own`);
  const users = await makeUsers(app, SIZE);
  await makeLapsed(bench, users);
  await app.db.$executeRawUnsafe('VACUUM ANALYZE');
  const bare = await measureBare(databaseUrl, SIZE);
  printTask('sweep', await runTask(databaseUrl, 'EXPIRE_CREDITS'), bare.sweep);
  printTask('monthly grant', await runTask(databaseUrl, 'GRANT_MONTHLY_CREDITS'), bare.grant);

  print('\nDebits of others meanwhile, 16 in flight');
  const listeners = await makeUsers(app, 2_000);
  const [first] = listeners;
  if (first === undefined) throw new Error('There are no users.');
  await app.db
    .$executeRaw`UPDATE users SET monthly_credits = 0 WHERE id = ANY(${listeners}::uuid[])`;
  await Promise.all(listeners.map((userId) => app.ledger.grant(grantRequest(userId, 1_000_000))));
  const debits = (): ReturnType<typeof measure> =>
    measure(16, 6_000, (number) =>
      app.ledger.narrate(narrationRequest(listeners[number % listeners.length] ?? first)),
    );
  await debits();
  const alone = await debits();
  print(`  alone                  ${describeSpeed(alone)}`);
  await makeLapsed(bench, users);
  for (const [what, task] of [
    ['beside the sweep      ', 'EXPIRE_CREDITS'],
    ['beside monthly grants ', 'GRANT_MONTHLY_CREDITS'],
  ] as const) {
    if (task === 'GRANT_MONTHLY_CREDITS') {
      // Next month, so that all of them are to get it again.
      await moveClock(app, 31 * DAY_MS);
    }
    const running = runTask(databaseUrl, task);
    // The process takes a moment to start.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    const beside = await debits();
    const again = await debits();
    const { changed, durationMs } = await running;
    const during = durationMs > 12_000 ? again : beside;
    print(
      `  ${what} ${describeSpeed(during)}  × ${(during.perSecond / alone.perSecond).toFixed(2)}, the task at ${((changed / durationMs) * 1000).toFixed(0)}/s for ${(durationMs / 1000).toFixed(1)} s`,
    );
  }
  await moveClock(app, 0);
}

/** Every invariant over the whole ledger that the bench has made. */
export async function benchVerify({ app }: Bench): Promise<void> {
  print('\nVerifying, the chain included');
  const { checkLedger } = await compiled<typeof Reconcile>('services/reconciliation/reconcile.js');
  for (let run = 0; run < 2; run += 1) {
    const startedAt = performance.now();
    const { transactions, accounts, checks } = await checkLedger(app);
    const seconds = (performance.now() - startedAt) / 1000;
    const wrong = checks
      .filter(({ violations }) => violations > 0)
      .map(({ invariant }) => invariant);
    print(
      `  ${transactions.toLocaleString('en')} transactions of ${accounts.toLocaleString('en')} accounts in ${seconds.toFixed(1)} s  ${(transactions / seconds).toFixed(0)}/s` +
        (wrong.length === 0 ? '' : `  violated: ${wrong.join(', ')}`),
    );
  }
}
