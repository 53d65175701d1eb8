import type { App } from '../../app.js';
import { splitSentences } from '../../domain/sentences.js';
import { sha256Hex } from '../../domain/text.js';
import { transact } from '../../infra/db.js';
import type { Delivery } from '../../infra/queue.js';
import { SpeechError, type SpokenSentence } from '../../infra/speech/provider.js';
import type { SynthesizeAudioPayload } from '../queues.js';
import { storageKey } from './addresses.js';
import { failNarration } from './fail-narration.js';
import {
  claimNarration,
  holdRendition,
  writeProgress,
  writeReady,
  type Claim,
  type ClaimRow,
  type FinishedRendition,
} from './narrations.sql.js';
import { openRecording } from './recording.js';

type Job = Delivery<SynthesizeAudioPayload>;

/** Someone else has taken the attempt; this delivery must not write any more. */
class ClaimLost extends Error {}

/**
 * Makes the recording that a job asks for. Safe to repeat: a delivery of a settled attempt does
 * nothing, and of two deliveries at once only the newer can finish.
 * @throws when it should be tried again
 */
export async function makeNarration(app: App, job: Job): Promise<void> {
  const { userId, audioId, attempt } = job.payload;
  const task = await transact(app.db, (tx) => claimNarration(tx, job.payload));
  if (task === undefined) {
    app.log.info({ userId, audioId, attempt }, 'narration was settled already');
    return;
  }
  const claim: Claim = { userId, audioId, claim: task.claim };
  try {
    const rendition =
      (await findRendition(app, task, claim)) ?? (await record(app, task, claim, job.signal));
    await finish(app, job, claim, rendition);
    app.log.info({ userId, audioId, attempt, durationMs: rendition.durationMs }, 'narration ready');
  } catch (error) {
    if (error instanceof ClaimLost) {
      app.log.warn({ userId, audioId, attempt }, 'narration was taken over by another worker');
      return;
    }
    app.log.warn({ userId, audioId, attempt, err: error }, 'narration failed');
    if (!(error instanceof SpeechError) || !error.permanent) throw error;
    const delivery = {
      id: job.id,
      retryCount: job.retryCount,
      queueName: app.synthesizeAudio.name,
    };
    await failNarration(
      app,
      { ...job.payload, claim: task.claim },
      'This text cannot be spoken in this voice.',
      delivery,
    );
  }
}

/** Provider, voice, settings and text: the same four are the same recording. */
const renditionHashOf = (app: App, task: ClaimRow): string =>
  sha256Hex(
    JSON.stringify([
      task.provider,
      task.providerVoice,
      task.language,
      app.config.synthesis.bitrateKbps,
      task.textHash,
    ]),
  );

async function findRendition(
  app: App,
  task: ClaimRow,
  claim: Claim,
): Promise<FinishedRendition | null> {
  const hash = renditionHashOf(app, task);
  const rendition = await transact(app.db, (tx) => holdRendition(tx, claim, hash));
  if (rendition === 'lost') throw new ClaimLost();
  if (rendition === undefined) return null;
  if (rendition.erasing) throw new Error('This recording is being erased; it is made anew later.');
  const files = await Promise.all(
    (['mp3', 'vtt'] as const).map((ending) => app.storage.stat(storageKey(hash, ending))),
  );
  return files.includes(null) ? null : rendition;
}

/** Speaks the sentences one after the other into files that are shared by all who pay for them. */
async function record(
  app: App,
  task: ClaimRow,
  claim: Claim,
  signal: AbortSignal,
): Promise<FinishedRendition> {
  const sentences = splitSentences(task.content, task.language);
  if (sentences.length === 0) {
    throw new SpeechError('There is nothing to speak in this text.', { permanent: true });
  }
  const hash = renditionHashOf(app, task);
  const recording = await openRecording(app, hash);
  try {
    const report = progressReporter(app, claim);
    const speak = (text = ''): Promise<SpokenSentence> =>
      app.speech.speak({ text, voice: task.providerVoice, language: task.language }, signal);
    let next = speak(sentences[0]?.text);
    for (const [index, { text }] of sentences.entries()) {
      const spoken = await next;
      // While this sentence is encoded the next one is spoken.
      next = index + 1 < sentences.length ? speak(sentences[index + 1]?.text) : next;
      next.catch(() => undefined);
      await recording.add(text, spoken);
      await report((index + 1) / sentences.length);
    }
    return { hash, ...(await recording.finish()) };
  } catch (error) {
    await recording.abandon();
    throw error;
  }
}

const REPORT_EVERY_MS = 400;

/** Writes how far it is, not more often than anyone looks; notices a claim that was lost. */
function progressReporter(app: App, claim: Claim): (progress: number) => Promise<void> {
  let reportedAt = Date.now();
  return async (progress) => {
    if (Date.now() - reportedAt < REPORT_EVERY_MS) return;
    reportedAt = Date.now();
    if (!(await writeProgress(app.db, claim, progress))) throw new ClaimLost();
  };
}

/** READY and the job's end are one commit. */
async function finish(
  app: App,
  job: Job,
  claim: Claim,
  rendition: FinishedRendition,
): Promise<void> {
  await transact(app.db, async (tx) => {
    if (!(await writeReady(tx, claim, rendition))) throw new ClaimLost();
    await app.queue.complete(tx, app.synthesizeAudio.name, job);
  });
}
