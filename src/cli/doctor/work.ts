import type { Config } from '../../config.js';
import { readAnchoredAt } from '../../services/anchors/anchors.sql.js';
import { readWaitingAnchors, waitingFolderOf } from '../../services/anchors/waiting.js';
import { countUnfinishedBulkGrants } from '../../services/credits/bulk-grant.sql.js';
import { countUnfinishedBulkRevocations } from '../../services/credits/bulk-revocation/bulk-revocation.sql.js';
import { readLedgerClock } from '../../services/ledger/clock.sql.js';
import { readJobQueues, type JobQueueView } from '../../services/maintenance/job-queues.sql.js';
import { readTaskRuns, type TaskRunRow } from '../../services/maintenance/maintenance.sql.js';
import { SCHEDULED_QUEUES, type ScheduledQueue } from '../../services/queues.js';
import { lastReconciliation } from '../../services/reconciliation/reconcile.js';
import { counted } from '../counted.js';
import { withDatabase, type Reached } from './database.js';
import { readInstalledSecondsAgo } from './doctor.sql.js';
import { fail, ok, warn, type Check, type Finding } from './findings.js';

/** How long the oldest due job may wait. Narrations take minutes when many are asked for at once. */
const WAIT_WARN_SECONDS = 300;
const WAIT_FAIL_SECONDS = 3_600;

const ago = (seconds: number): string => {
  if (seconds < 120) return `${seconds.toFixed(0)} s`;
  if (seconds < 7_200) return `${(seconds / 60).toFixed(0)} min`;
  return seconds < 172_800
    ? `${(seconds / 3_600).toFixed(0)} h`
    : `${(seconds / 86_400).toFixed(0)} days`;
};

/**
 * Checks each job queue for failed jobs and for jobs that have waited too long. It warns when there are no queues,
 * because no server has started yet.
 */
export const queuesCheck = (reached: Promise<Reached>): Check =>
  withDatabase('queues', reached, async ({ db }) => {
    const queues = await readJobQueues(db);
    if (queues.length === 0) return warn('there are no queues yet', 'Start Talebank once.');
    const findings = queues.flatMap(ofQueue);
    const waiting = queues.reduce((sum, { queued }) => sum + queued, 0);
    return findings.length > 0
      ? findings
      : ok(
          `${counted(queues.length, 'queue', 'queues')}, ${counted(waiting, 'job waits', 'jobs wait')}, none failed, none is late`,
        );
  });

function ofQueue({ name, queued, failed, oldestQueuedSeconds: oldest }: JobQueueView): Finding[] {
  const late = oldest ?? 0;
  const found: Finding[] = [];
  if (late > WAIT_WARN_SECONDS)
    found.push(
      (late > WAIT_FAIL_SECONDS ? fail : warn)(
        `${name}: ${counted(queued, 'job waits', 'jobs wait')}, the oldest for ${ago(late)}`,
        'Check whether a worker runs (ROLE=all or ROLE=worker), and look at its log.',
      ),
    );
  if (failed > 0)
    found.push(
      warn(
        `${name}: ${counted(failed, 'job has failed and is', 'jobs have failed and are')} not tried again`,
        `Find the reason in the log, then run redriveJobs(queue: "${name}").`,
      ),
    );
  return found;
}

/** A run may take a while, and a worker looks for jobs every few seconds. */
const SLACK_SECONDS = 600;

/**
 * Checks each scheduled task by its last success. It warns after two intervals and fails after four, each with ten
 * minutes of slack. It also fails when the last run failed.
 */
export const tasksCheck = (reached: Promise<Reached>): Check =>
  withDatabase('tasks', reached, async ({ ask, db }) => {
    const installedAgo = await ask(readInstalledSecondsAgo);
    const runs = await readTaskRuns(db);
    const findings = SCHEDULED_QUEUES.flatMap((queue) =>
      ofTask(
        queue,
        runs.find((run) => run.task === queue.task),
        installedAgo,
      ),
    );
    return findings.length > 0 ? findings : ok(onTime(runs));
  });

function onTime(runs: readonly TaskRunRow[]): string {
  const succeededAgo = runs.flatMap(({ succeededAgo: seconds }) => seconds ?? []);
  const waiting = SCHEDULED_QUEUES.length - succeededAgo.length;
  if (waiting > 0)
    return `${String(succeededAgo.length)} of ${String(SCHEDULED_QUEUES.length)} tasks have run; the others are not due in this new database`;
  return `all ${String(SCHEDULED_QUEUES.length)} tasks have run on time, the least recent ${ago(Math.max(...succeededAgo))} ago`;
}

function ofTask(
  queue: ScheduledQueue,
  run: TaskRunRow | undefined,
  installedAgo: number,
): Finding[] {
  const { name, intervalSeconds: every } = queue;
  const advice = 'Check whether a worker runs, and look for `maintenance failed` in its log.';
  const succeededAgo = run?.succeededAgo ?? null;
  if (run?.hasFailed === true) return [fail(`${name}: the last run has failed`, advice)];
  if (succeededAgo === null && installedAgo <= 2 * every + SLACK_SECONDS) return [];
  if (succeededAgo === null)
    return [warn(`${name}: no run is known, and it is due every ${ago(every)}`, advice)];
  if (succeededAgo <= 2 * every + SLACK_SECONDS) return [];
  const text = `${name}: last run ${ago(succeededAgo)} ago, and it is due every ${ago(every)}`;
  return [(succeededAgo > 4 * every + SLACK_SECONDS ? fail : warn)(text, advice)];
}

/** A check a day, and some hours for it. */
const CHECK_SECONDS = 30 * 3_600;

const violated = (invariants: readonly string[]): string =>
  invariants.length === 1
    ? `invariant ${invariants.join()} is violated`
    : `invariants ${invariants.join(', ')} are violated`;

/**
 * Reads the result of the last reconciliation. It fails for a violated invariant. It warns for repaired lots, and when
 * the check is more than 30 hours old.
 */
export const ledgerCheck = (reached: Promise<Reached>): Check =>
  withDatabase('ledger', reached, async ({ ask, db }) => {
    const last = await lastReconciliation({ db });
    if (last === null)
      return (await ask(readInstalledSecondsAgo)) <= CHECK_SECONDS
        ? ok('it is new, and the task at 03:30 UTC checks it')
        : warn(
            'it was never checked',
            'Run `npm run ledger -- reconcile`, or wait for the task at 03:30 UTC.',
          );
    const now = await readLedgerClock(db);
    const age = Math.max(0, (now.getTime() - last.checkedAt.getTime()) / 1000);
    const wrong = last.checks.filter(({ violations }) => violations > 0);
    const repaired =
      last.repairedLots === 0
        ? ''
        : `, ${counted(last.repairedLots, 'lot was repaired', 'lots were repaired')}`;
    const text = `checked ${ago(age)} ago (${last.isFull ? 'all history' : 'from checkpoints'})`;
    if (wrong.length > 0)
      return fail(
        `${text}: ${violated(wrong.map(({ invariant }) => invariant))}${repaired}`,
        'Run `npm run ledger -- verify`: docs/ledger.md says what to do about each invariant.',
      );
    if (age > CHECK_SECONDS)
      return warn(`${text}, and it is due every day`, 'Look at the task reconcile-credits.');
    return repaired === ''
      ? ok(`${text}: sound`)
      : warn(
          `${text}: sound${repaired}`,
          'Find out which program has written to credit_lots: the audit log names each lot (action repairLot).',
        );
  });

/** Delivering a file that was just made takes minutes, with the retries of its task. */
const ANCHOR_WAIT_SECONDS = 3_600;

/**
 * Checks two things: the age of the last anchor that every place has, and the files of anchors that wait in DATA_DIR.
 * It warns about an anchor after 30 hours. It warns about a file after one hour and fails after 30.
 */
export const anchorCheck = (reached: Promise<Reached>, { dataDir }: Config): Check => {
  const made = withDatabase('anchor', reached, anchorMade);
  return {
    name: made.name,
    run: async () => {
      const waiting = await anchorsWaiting(dataDir);
      return [await made.run(), waiting].flat();
    },
  };
};

/** @returns nothing when none waits for long */
async function anchorsWaiting(dataDir: string): Promise<readonly Finding[]> {
  const { count, oldestSeconds } = await readWaitingAnchors(dataDir);
  if (oldestSeconds <= ANCHOR_WAIT_SECONDS) return [];
  return [
    (oldestSeconds > CHECK_SECONDS ? fail : warn)(
      `${counted(count, 'anchor waits', 'anchors wait')} in ${waitingFolderOf(dataDir)}, the oldest for ${ago(oldestSeconds)}`,
      'Check whether ANCHOR_DIR and the bucket can be written. Then run runMaintenance(task: RECONCILE_CREDITS) at a process with this DATA_DIR.',
    ),
  ];
}

async function anchorMade({ ask, db }: Reached): Promise<Finding> {
  const [at, now] = await Promise.all([readAnchoredAt(db), readLedgerClock(db)]);
  if (at === null)
    return (await ask(readInstalledSecondsAgo)) <= CHECK_SECONDS
      ? ok('none was made yet, and the task at 03:30 UTC makes one')
      : warn('no anchor was made yet', 'The task at 03:30 UTC makes one after its check.');
  const age = Math.max(0, (now.getTime() - at.getTime()) / 1000);
  const text = `the last anchor that every place has was made ${ago(age)} ago`;
  return age > CHECK_SECONDS
    ? warn(
        text,
        'Look at the task reconcile-credits, and check whether ANCHOR_DIR and the bucket can be written.',
      )
    : ok(text);
}

/** Counts bulk grants and revocations that were begun and not finished. It warns when there is one. */
export const bulkOrdersCheck = (reached: Promise<Reached>): Check =>
  withDatabase('bulk orders', reached, async ({ db }) => {
    const [grants, revocations] = await Promise.all([
      countUnfinishedBulkGrants(db),
      countUnfinishedBulkRevocations(db),
    ]);
    return grants + revocations === 0
      ? ok('none is unfinished')
      : warn(
          `${counted(grants, 'bulk grant', 'bulk grants')} and ${counted(revocations, 'revocation', 'revocations')} are unfinished`,
          'A job finishes them within a minute. If they stay, check whether a worker runs: `ledgerHealth { unfinishedBulkGrants }`.',
        );
  });
