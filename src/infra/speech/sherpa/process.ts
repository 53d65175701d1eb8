/**
 * A process of its own that speaks with sherpa-onnx. The engine is native code, which ends the whole process when it
 * meets a model that it cannot use, and because it contains eSpeak NG, which is under the GPL, unlike this project. It
 * is loaded only here, and the process communicates only by messages.
 */
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import type { SherpaAnswer, SherpaQuestion, WatchOrder } from './messages.js';

// The server has ended, perhaps by a signal, so this process must end too.
process.on('disconnect', () => process.exit(0));
// Ctrl-C in a terminal is meant for the server, which ends this process when its own work is done.
process.on('SIGINT', () => undefined);

interface Wave {
  readonly samples: Float32Array;
  readonly sampleRate: number;
}

interface Speaker {
  readonly numSpeakers: number;
  generate(request: object): Wave;
}

interface Engine {
  readonly OfflineTts: new (config: object) => Speaker;
  readonly readWave: (path: string) => Wave;
}

/** A process that uses more than this share of its memory limit is replaced after the sentence. */
const RETIRE_SHARE = 0.75;
const RATE_MIN_HZ = 4_000;
const RATE_MAX_HZ = 192_000;

let engine: Engine | undefined;
let speaker: Speaker | undefined;
const references = new Map<string, Wave>();

/** @returns null where the package, or the one for this platform, is not installed or cannot be loaded */
function loadEngine(): Engine | null {
  try {
    engine ??= createRequire(import.meta.url)('sherpa-onnx-node') as Engine;
    return engine;
  } catch {
    return null;
  }
}

/** @throws when the engine refuses the model. Some models end the process instead, with exit code 255. */
function loadSpeaker({ OfflineTts }: Engine, { config }: SherpaQuestion): Speaker {
  const { kind, parts, ruleFsts, threads } = config;
  speaker ??= new OfflineTts({
    model: { [kind]: parts, numThreads: threads, provider: 'cpu' },
    ruleFsts,
    // Longer texts are spoken sentence by sentence, so that they take no more memory.
    maxNumSentences: 1,
  });
  return speaker;
}

function referenceOf({ readWave }: Engine, path: string): object {
  const wave = references.get(path) ?? readWave(path);
  references.set(path, wave);
  return { referenceAudio: wave.samples, referenceSampleRate: wave.sampleRate };
}

function toPcm({ samples }: Wave): Int16Array<ArrayBuffer> {
  const pcm = new Int16Array(samples.length);
  for (const [index, sample] of samples.entries())
    pcm[index] = Math.round(Math.max(-1, Math.min(1, sample)) * 32_767);
  return pcm;
}

/**
 * The engine blocks this thread, because only its synchronous calls are used. When a model fails while it speaks, they
 * end the process, but the asynchronous ones never return.
 */
function speak(question: SherpaQuestion): SherpaAnswer {
  const loaded = loadEngine();
  if (loaded === null) return { failure: 'NOT_INSTALLED' };
  let model: Speaker;
  let reference = {};
  try {
    model = loadSpeaker(loaded, question);
    if (question.reference !== null) reference = referenceOf(loaded, question.reference);
  } catch {
    return { failure: 'BROKEN_MODEL' };
  }
  const { text, speaker: sid, speed, extra } = question;
  if (sid >= Math.max(1, model.numSpeakers)) return { failure: 'BROKEN_MODEL' };
  let wave: Wave;
  try {
    wave = model.generate({
      text,
      // A buffer outside V8's heap cannot be sent.
      enableExternalBuffer: false,
      generationConfig: { sid, speed, silenceScale: 1, extra, ...reference },
    });
  } catch {
    // The model has no sounds for these characters.
    return { failure: 'SILENT' };
  }
  if (!(wave.sampleRate >= RATE_MIN_HZ && wave.sampleRate <= RATE_MAX_HZ))
    return { failure: 'BROKEN_MODEL' };
  if (wave.samples.length > question.mostSeconds * wave.sampleRate) return { failure: 'TOO_LONG' };
  const pcm = toPcm(wave);
  if (pcm.every((sample) => sample === 0)) return { failure: 'SILENT' };
  return { pcm, sampleRateHz: wave.sampleRate };
}

let watch: Worker | undefined;

process.on('message', (question: SherpaQuestion) => {
  const order: WatchOrder = { mostBytes: question.mostBytes, parent: process.ppid };
  watch ??= new Worker(new URL('watch-thread.js', import.meta.url), { workerData: order });
  const answer = speak(question);
  const retiring = process.memoryUsage.rss() > RETIRE_SHARE * question.mostBytes;
  process.send?.({ ...answer, retiring });
});
