import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/**
 * eSpeak NG and LAME alone: the same sentences, spoken and encoded one after the other, in as many processes as the
 * product has by default. No pauses, no levelling, no storage and no database.
 */

interface Engine {
  set_voice(identifier: string): number;
  samplerate: number;
  synthesize(text: string, onAudio: (audio: ArrayBufferView | null) => boolean): void;
}

const VOICE = 'gmw/en';
const BITRATE_KBPS = 64;
export const PROCESSES = 2;

/** @returns how many seconds of speech were made in a second */
export async function bareSpeed(text: string): Promise<number> {
  const sentences = text.split(/(?<=\.) /u);
  const workers = Array.from({ length: PROCESSES }, () =>
    fork(fileURLToPath(import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
  );
  // The processes have loaded the engine, as the product's processes have after the first narration.
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  const startedAt = performance.now();
  const spoken = await Promise.all(
    workers.map(async (worker, index) => {
      worker.send(sentences.filter((_, at) => at % PROCESSES === index));
      return (await once(worker, 'message'))[0] as number;
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  for (const worker of workers) if (worker.connected) worker.disconnect();
  return spoken.reduce((sum, one) => sum + one, 0) / seconds;
}

async function work(): Promise<void> {
  // A variable, because the package has no types.
  const name = '@echogarden/espeak-ng-emscripten';
  const { default: load } = (await import(name)) as {
    default: () => Promise<{ eSpeakNGWorker: new () => Engine }>;
  };
  const { createMp3Encoder } = await import('wasm-media-encoders');
  const engine = new (await load()).eSpeakNGWorker();
  const encoder = await createMp3Encoder();
  const speak = (sentence: string): number => {
    engine.set_voice(VOICE);
    const chunks: Int16Array[] = [];
    engine.synthesize(sentence, (audio) => {
      if (audio !== null)
        chunks.push(new Int16Array(audio.buffer, audio.byteOffset, audio.byteLength / 2).slice());
      return false;
    });
    encoder.configure({ sampleRate: 22_050, channels: 1, bitrate: BITRATE_KBPS });
    for (const chunk of chunks) encoder.encode([Float32Array.from(chunk, (one) => one / 32_768)]);
    encoder.finalize();
    return chunks.reduce((sum, { length }) => sum + length, 0) / engine.samplerate;
  };
  speak('The first sentence is slower.');
  process.send?.(0);
  process.once('message', (sentences: string[]) => {
    process.send?.(sentences.reduce((sum, sentence) => sum + speak(sentence), 0));
  });
}

if (process.send !== undefined && process.argv[1] === fileURLToPath(import.meta.url)) await work();
