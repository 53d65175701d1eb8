import { setImmediate } from 'node:timers/promises';
import type { App } from '../../app.js';
import { countCodePoints } from '../../../domain/text.js';
import { primaryLanguage } from '../../../domain/timing/reading-speed.js';
import { packed } from '../../../domain/timing/timeline.js';
import { transact } from '../../../infra/db.js';
import type { Delivery } from '../../../infra/queue.js';
import { SpeechError } from '../../../infra/speech/provider.js';
import { synthesizeAudioQueue, type NarrationJob } from '../../queues.js';
import { isStored } from '../files.js';
import { noticeEnd } from '../../notices/notices.sql.js';
import { failIfDeadly, giveUp, layDownWhenStopping } from '../retries/give-up.js';
import { BeingErased, ClaimLost } from '../retries/put-back.js';
import { writeTimeline, type NewTimeline } from '../timeline/timeline.sql.js';
import { assemble, type Assembled } from './assemble.js';
import {
  claimNarration,
  isHeld,
  writeProgress,
  writeReady,
  type Claim,
  type ClaimRow,
  type FinishedRecording,
} from './claims.sql.js';
import { planSentences, recordingHashOf, type PlannedSentence, type Script } from './plan.js';
import { holdRecording } from './recordings.sql.js';
import { placeInRecording } from './sentences.sql.js';
import { speakSentences, type Making } from './speak-sentences.js';

type Job = Delivery<NarrationJob>;

/** A recording, with what it was just made of. One that was found has no parts. */
type Recording = FinishedRecording & {
  readonly parts: Assembled['parts'];
  readonly timeline: NewTimeline | null;
};

/**
 * Makes the recording of a job. Idempotent: the delivery of a settled attempt does nothing, nor does a stale delivery,
 * and of two concurrent deliveries only the newer can finish.
 * @throws when it should be tried again
 */
export async function makeNarration(app: App, job: Job): Promise<void> {
  const { userId, audioId, attempt } = job.payload;
  const startedAt = performance.now();
  const { id: jobId, retryCount } = job;
  const delivered = { ...job.payload, queueName: synthesizeAudioQueue.name, jobId, retryCount };
  const task = await transact(app.db, (tx) => claimNarration(tx, delivered));
  if (task === undefined) {
    app.log.info(
      { event: 'narration-elsewhere', userId, audioId, attempt },
      'narration was settled, or is made, elsewhere',
    );
    return;
  }
  const claim: Claim = { userId, audioId, claim: task.claim };
  const held = { job, task, startedAt };
  const finished = layDownWhenStopping(app, held);
  try {
    if (await failIfDeadly(app, held)) return;
    const hash = recordingHashOf(app, task);
    const found = await findRecording(app, hash, claim);
    const heard = firstSound(app, task);
    if (found !== null) heard(false);
    const recording = found ?? (await record(app, { hash, task, claim, heard }, job.signal));
    await finish(app, job, claim, recording);
    const { durationMs } = recording;
    app.metrics.narrations.inc({ result: found === null ? 'made' : 'shared' });
    app.metrics.narrationSeconds.observe((performance.now() - startedAt) / 1000);
    app.log.info(
      { event: 'narration-ready', userId, audioId, attempt, durationMs },
      'narration ready',
    );
  } catch (error) {
    await giveUp(app, held, error);
  } finally {
    finished();
  }
}

/** The same recording, if it was made before for any user. */
async function findRecording(app: App, hash: string, claim: Claim): Promise<Recording | null> {
  const recording = await transact(app.db, async (tx) => {
    const held = await holdRecording(tx, claim, hash);
    if (held === 'lost') throw new ClaimLost();
    // The transaction is rolled back, because the process that erases the recording must not count this narration as a
    // user of it.
    if (held?.erasing === true)
      throw held.overdue
        ? new Error('The deletion of this recording has taken too long.')
        : new BeingErased('This recording is being deleted. It will be made again afterwards.');
    return held;
  });
  if (recording === undefined) return null;
  return (await isStored(app, recording)) ? { ...recording, parts: [], timeline: null } : null;
}

/** Observes the time from the request to the first sentence, once an attempt: a retry finds what was spoken before. */
function firstSound(
  app: App,
  { requestedMsAgo, tries, deaths, waitedMs }: ClaimRow,
): Making['heard'] {
  const claimedAt = performance.now();
  const isRetry = tries + deaths > 0 || waitedMs !== null;
  let isObserved = false;
  return (isNew) => {
    if (isObserved || (isRetry && !isNew)) return;
    isObserved = true;
    app.metrics.firstSoundSeconds.observe((requestedMsAgo + performance.now() - claimedAt) / 1000);
  };
}

interface RecordingTask {
  readonly hash: string;
  readonly task: ClaimRow;
  readonly claim: Claim;
  readonly heard: Making['heard'];
}

async function record(
  app: App,
  { hash, task, claim, heard }: RecordingTask,
  signal: AbortSignal,
): Promise<Recording> {
  const sentences = await planAll(app, task);
  if (sentences.length === 0)
    throw new SpeechError('There is nothing to speak in this text.', {
      permanent: true,
      kind: 'silent',
    });
  const report = progressReporter(app, claim);
  await speakSentences(app, sentences, { script: task, signal, report, heard });
  // The account may have been erased meanwhile. Its files would then be left behind.
  const confirm = async (): Promise<void> => {
    if (!(await isHeld(app.db, claim))) throw new ClaimLost();
  };
  const assembled = await assemble(app, hash, { sentences, language: task.language, confirm });
  return { hash, ...assembled, timeline: timelineOf(task, hash, assembled) };
}

const timelineOf = (
  { voiceId, language, content }: ClaimRow,
  recordingHash: string,
  { durationMs, sentences }: Assembled,
): NewTimeline => ({
  recordingHash,
  durationMs,
  voiceId,
  language: primaryLanguage(language),
  characterCount: countCodePoints(content),
  sentences: sentences.map(packed),
});

const PLANNED_AT_ONCE = 50;

/** Yields to the event loop in between, because a long text takes a while to split. */
async function planAll(app: App, script: Script): Promise<PlannedSentence[]> {
  const sentences: PlannedSentence[] = [];
  for (const sentence of planSentences(app, script)) {
    sentences.push(sentence);
    if (sentences.length % PLANNED_AT_ONCE === 0) await setImmediate();
  }
  return sentences;
}

const REPORT_EVERY_MS = 400;

/** Writes the progress at most once in REPORT_EVERY_MS. @throws ClaimLost */
function progressReporter(app: App, claim: Claim): (progress: number) => Promise<void> {
  let reportedAt = -Infinity;
  return async (progress) => {
    if (performance.now() - reportedAt < REPORT_EVERY_MS) return;
    reportedAt = performance.now();
    if (!(await writeProgress(app.db, claim, progress))) throw new ClaimLost();
  };
}

/** READY, the sentences' new places and the end of the job are one commit. */
async function finish(app: App, job: Job, claim: Claim, recording: Recording): Promise<void> {
  const { parts } = recording;
  const loose = await transact(app.db, async (tx) => {
    if (!(await writeReady(tx, claim, recording))) throw new ClaimLost();
    await noticeEnd(tx, job.payload, 'NARRATION_READY');
    await app.queue.complete(tx, synthesizeAudioQueue.name, job);
    if (recording.timeline !== null) await writeTimeline(tx, recording.timeline);
    return parts.length === 0 ? [] : placeInRecording(tx, parts);
  });
  // A file that is not removed now is swept later.
  await app.storage.remove(loose).catch((error: unknown) => {
    app.log.warn(
      { event: 'sentences-left-behind', err: error, files: loose.length },
      'spoken sentences were left behind',
    );
  });
}
