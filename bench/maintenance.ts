import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { OpenApp } from '../src/open-app.ts';
import type { UserId } from '../src/domain/ids.ts';
import type * as Reconcile from '../src/services/reconciliation/reconcile.ts';
import type { MaintenanceTask } from '../src/services/tasks.ts';
import { grantRequest, makeUsers, narrationRequest } from './accounts.ts';
import { measureBare } from './bare-maintenance.ts';
import { compiled, measure, print, readOption, type Bench, type Speed } from './support.ts';

/** `--size 1000000` for the long run. */
const SIZE = readOption('--size', 50_000);
const CHILD = fileURLToPath(new URL('maintenance-process.ts', import.meta.url));
const DAY_MS = 86_400_000;

/** What a process of its own reports of a task. */
export interface TaskReport {
  readonly processed: number;
  readonly changed: number;
  readonly durationMs: number;
  /** Processor time of the process. */
  readonly cpuMs: number;
  /** Megabytes, at the start and at the most. */
  readonly rssBefore: number;
  readonly rssMost: number;
}

interface MeasuredTask extends TaskReport {
  /** Processor time of Postgres. Null where /proc does not show it. */
  readonly postgresMs: number | null;
}

/** A task in a process of its own, as a worker runs it. */
async function runTask({ app, databaseUrl }: Bench, task: MaintenanceTask): Promise<MeasuredTask> {
  const stopWatching = await watchBackends(app);
  const child = fork(CHILD, [databaseUrl, task], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  const [report] = (await once(child, 'message')) as [TaskReport];
  const postgresMs = await stopWatching();
  await once(child, 'exit');
  return { ...report, postgresMs };
}

const LOOK_MS = 250;
const MS_IN_A_TICK = 10;

/**
 * Adds up the processor time of the backends of this database from now on, including those that end during the
 * measurement. On a machine that has other work, it says more than the speed. Only for a Postgres on the same Linux
 * machine.
 * @returns a function that ends it; its result is in milliseconds, or null where /proc does not show the backends
 */
async function watchBackends(app: OpenApp): Promise<() => Promise<number | null>> {
  const before = await readProcessorTimes(app);
  const newest = new Map(before);
  const look = async (): Promise<void> => {
    for (const [pid, ms] of await readProcessorTimes(app)) newest.set(pid, ms);
  };
  let looking = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking.then(look);
  }, LOOK_MS);
  return async () => {
    clearInterval(timer);
    await looking.then(look);
    const sum = (times: ReadonlyMap<number, number>): number =>
      [...times.values()].reduce((total, ms) => total + ms, 0);
    return newest.size === 0 ? null : sum(newest) - sum(before);
  };
}

async function readProcessorTimes({ db }: OpenApp): Promise<ReadonlyMap<number, number>> {
  const rows = await db.$queryRaw<{ pid: number }[]>`
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'`;
  const times = new Map<number, number>();
  for (const { pid } of rows) {
    const ms = await processorTimeOf(pid);
    if (ms !== null) times.set(pid, ms);
  }
  return times;
}

async function processorTimeOf(pid: number): Promise<number | null> {
  try {
    const line = await readFile(`/proc/${String(pid)}/stat`, 'utf8');
    // The name in parentheses may have spaces. User and system time are the 12th and 13th field after it.
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) * MS_IN_A_TICK;
  } catch {
    return null;
  }
}

function printTask(what: string, report: MeasuredTask, bare: number): void {
  const { changed, durationMs, cpuMs, postgresMs, rssBefore, rssMost } = report;
  const microseconds = (ms: number | null): string =>
    ms === null ? 'unknown' : `${((ms / changed) * 1000).toFixed(0)} µs`;
  print(
    `  ${what.padEnd(34)} ${changed.toLocaleString('en').padStart(9)} in ${(durationMs / 1000).toFixed(1)} s  ` +
      `${((changed / durationMs) * 1000).toFixed(0)}/s  bare Postgres ${bare.toFixed(0)}/s × ${(((changed / durationMs) * 1000) / bare).toFixed(2)}  ` +
      `memory ${rssBefore.toFixed(0)} → at most ${rssMost.toFixed(0)} MB  ` +
      `processor a row: Node ${microseconds(cpuMs)}, Postgres ${microseconds(postgresMs)}`,
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

/** Debits are measured in windows, because other work of the machine comes and goes. */
const WINDOW_MS = 3_000;
const WINDOWS_MAX = 5;
const median = (values: readonly number[]): number =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;

/** Debits before, during and after a task. The medians of the windows are compared. */
async function measureBeside(
  bench: Bench,
  { what, task, debits }: { what: string; task: MaintenanceTask; debits: () => Promise<Speed> },
): Promise<void> {
  const alone = [await debits(), await debits()];
  const state = { isRunning: true };
  const running = runTask(bench, task).finally(() => {
    state.isRunning = false;
  });
  // The process takes a moment to start.
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  const beside: Speed[] = [];
  while (state.isRunning && beside.length < WINDOWS_MAX) beside.push(await debits());
  const { changed, durationMs } = await running;
  // The task has ended during the last window.
  if (beside.length > 1 && beside.length < WINDOWS_MAX) beside.pop();
  alone.push(await debits(), await debits());
  const [speed, speedAlone] = [beside, alone].map((windows) =>
    median(windows.map(({ perSecond }) => perSecond)),
  ) as [number, number];
  print(
    `  beside ${what}  ${speed.toFixed(0)}/s of ${speedAlone.toFixed(0)}/s  × ${(speed / speedAlone).toFixed(2)}  ` +
      `p99 ${median(alone.map(({ p99Ms }) => p99Ms)).toFixed(0)} → ${median(beside.map(({ p99Ms }) => p99Ms)).toFixed(0)} ms  ` +
      `the task at ${((changed / durationMs) * 1000).toFixed(0)}/s for ${(durationMs / 1000).toFixed(1)} s`,
  );
}

/** The sweep and the monthly grant alone, then beside debits of others. */
export async function benchMaintenance(bench: Bench): Promise<void> {
  const { app, databaseUrl } = bench;
  print(`\nTasks over ${SIZE.toLocaleString('en')} users, in a process of their own`);
  const users = await makeUsers(app, SIZE);
  await makeLapsed(bench, users);
  await app.db.$executeRawUnsafe('VACUUM ANALYZE');
  const bare = await measureBare(databaseUrl, SIZE);
  printTask('sweep', await runTask(bench, 'EXPIRE_CREDITS'), bare.sweep);
  printTask('monthly grant', await runTask(bench, 'GRANT_MONTHLY_CREDITS'), bare.grant);

  print('\nDebits of others meanwhile, 16 in flight');
  const listeners = await makeUsers(app, 2_000);
  const [first] = listeners;
  if (first === undefined) throw new Error('There are no users.');
  await app.db
    .$executeRaw`UPDATE users SET monthly_credits = 0 WHERE id = ANY(${listeners}::uuid[])`;
  await Promise.all(listeners.map((userId) => app.ledger.grant(grantRequest(userId, 1_000_000))));
  const debits = async (): Promise<Speed> =>
    measure(16, WINDOW_MS, (number) =>
      app.ledger.narrate(narrationRequest(listeners[number % listeners.length] ?? first)),
    );
  await debits();
  await makeLapsed(bench, users);
  for (const [what, task] of [
    ['the sweep     ', 'EXPIRE_CREDITS'],
    ['monthly grants', 'GRANT_MONTHLY_CREDITS'],
  ] as const) {
    if (task === 'GRANT_MONTHLY_CREDITS') {
      // Next month, so that all of them are to get it again.
      await moveClock(app, 31 * DAY_MS);
    }
    await measureBeside(bench, { what, task, debits });
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
