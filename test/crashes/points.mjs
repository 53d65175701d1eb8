// Where processes are killed. Each point is a place in the compiled server: a line that stands there once, before or
// behind which the process stops and waits for its end. The product knows nothing of it: the line is added when the
// server is bundled for this test, which fails for a point whose line is not there any more.

/** @typedef {{ file: string, line: string, put: 'before' | 'behind' }} Place */

/** @type {Readonly<Record<string, Place>>} */
export const POINTS = {
  // What is asked for: debit, narration and job.
  'asked, before the commit': {
    file: 'services/narrations/settle-narrations.js',
    line: 'await queue.enqueue(tx, synthesizeAudioQueue, queued.map(jobOf));',
    put: 'behind',
  },
  'committed, before the answer': {
    file: 'services/narrations/request-narration.js',
    line: 'app.log.info({',
    put: 'before',
  },
  // What a worker makes of it.
  claimed: {
    file: 'services/narrations/synthesis/make-narration.js',
    line: 'const hash = recordingHashOf(app, task);',
    put: 'before',
  },
  'sentence spoken, before it is stored': {
    file: 'services/narrations/synthesis/stored-sentences.js',
    line: 'const bytes = await app.encoder.encode(speech, toRateHz);',
    put: 'before',
  },
  'sentence stored, before anybody knows': {
    file: 'services/narrations/synthesis/stored-sentences.js',
    line: 'await storeWhole(app.storage, key, bytes);',
    put: 'behind',
  },
  'file half written': {
    file: 'services/narrations/synthesis/assemble.js',
    line: 'offsetBytes += bytes.length;',
    put: 'behind',
  },
  'file in its place, before READY': {
    file: 'services/narrations/synthesis/make-narration.js',
    line: 'const { parts } = recording;',
    put: 'before',
  },
  'READY, before the job is completed': {
    file: 'services/narrations/synthesis/make-narration.js',
    line: 'await app.queue.complete(tx, synthesizeAudioQueue.name, job);',
    put: 'before',
  },
  'READY and committed, before the sentences’ files are removed': {
    file: 'services/narrations/synthesis/make-narration.js',
    line: 'await app.storage.remove(loose)',
    put: 'before',
  },
  'waiting for the provider, before the commit of the next job': {
    file: 'services/narrations/retries/put-back.js',
    line: 'await mustHold(write(tx, jobId));',
    put: 'behind',
  },
  // What ends without a recording.
  'FAILED, before the refund': {
    file: 'services/ledger/refunds.js',
    line: 'if (refunds.size > 0) await mendBooks(tx, open, mender);',
    put: 'before',
  },
  'refunded, before the commit that closes the job': {
    file: 'services/ledger/commit/ways.js',
    line: 'return settled;',
    put: 'before',
  },
  'CANCELLED, before the refund': {
    file: 'services/narrations/cancel-audio.js',
    line: 'return debitSeq;',
    put: 'before',
  },
  // What runs by the clock.
  'in the middle of a sweep of points': {
    file: 'services/maintenance/expire-credits.js',
    line: 'return countMoved(settlements);',
    put: 'before',
  },
  'in the middle of a sweep of narrations': {
    file: 'services/maintenance/reap-stuck-audio.js',
    line: 'processed += abandoned.length;',
    put: 'before',
  },
};

/**
 * The text of a compiled file with the point in it.
 * @param {string} text
 * @param {string} name
 */
export function withPoint(text, name) {
  const place = POINTS[name];
  const parts = text.split(place.line);
  if (parts.length !== 2) throw new Error(`The point “${name}” is not in ${place.file} once.`);
  const stop = `await globalThis.reachCrashPoint(${JSON.stringify(name)});`;
  const line = place.put === 'before' ? `${stop} ${place.line}` : `${place.line} ${stop}`;
  return parts.join(line);
}
