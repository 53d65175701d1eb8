/**
 * A process of its own that speaks with eSpeak NG. The engine's licence is the GPL and ours is not: it is
 * loaded here and nowhere else, and only messages cross the border.
 */
import type { EspeakAnswer, EspeakQuestion } from './espeak-messages.js';

// The server has gone, however it went.
process.on('disconnect', () => process.exit(0));
// The terminal's Ctrl-C is for the server, which ends us when its own work is done.
process.on('SIGINT', () => undefined);

interface Engine {
  set_voice(identifier: string): number;
  samplerate: number;
  /** The callback returns true to give up. */
  synthesize(text: string, onAudio: (audio: ArrayBufferView | null) => boolean): void;
}

const name = '@echogarden/espeak-ng-emscripten';
const { default: load } = (await import(name)) as {
  default: () => Promise<{ eSpeakNGWorker: new () => Engine }>;
};
const engine = new (await load()).eSpeakNGWorker();

/** A process that has grown beyond this asks to be replaced. */
const MOST_MEMORY_BYTES = 300 * 1024 * 1024;

function speak({ text, voice, mostSamples }: EspeakQuestion): EspeakAnswer {
  // Zero is success; for an unknown voice it would go on with the one before.
  if (engine.set_voice(voice) !== 0) return { failure: 'UNKNOWN_VOICE' };
  const chunks: Uint8Array[] = [];
  let lengthBytes = 0;
  engine.synthesize(text, (audio) => {
    if (audio === null) return false;
    // The engine uses its buffer again.
    chunks.push(new Uint8Array(audio.buffer, audio.byteOffset, audio.byteLength).slice());
    lengthBytes += audio.byteLength;
    return lengthBytes > mostSamples * 2;
  });
  if (lengthBytes > mostSamples * 2) return { failure: 'TOO_LONG' };
  if (lengthBytes === 0) return { failure: 'SILENT' };
  const bytes = new Uint8Array(lengthBytes);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return { pcm: new Int16Array(bytes.buffer), sampleRateHz: engine.samplerate };
}

process.on('message', (question: EspeakQuestion) => {
  const answer = speak(question);
  const retiring = process.memoryUsage.rss() > MOST_MEMORY_BYTES;
  process.send?.({ ...answer, retiring });
});
