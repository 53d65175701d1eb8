/**
 * A process of its own that speaks with eSpeak NG. The engine's licence is the GPL and ours is not: it is
 * loaded here and nowhere else, and only messages cross the border.
 */
import type { EspeakAnswer, EspeakFailure, EspeakMark, EspeakQuestion } from './espeak-messages.js';

// The server has ended, perhaps by a signal, so this process must end too.
process.on('disconnect', () => process.exit(0));
// Ctrl-C in a terminal is meant for the server, which ends this process when its own work is done.
process.on('SIGINT', () => undefined);

interface Engine {
  set_voice(identifier: string): number;
  samplerate: number;
  /** The callback returns true to give up. */
  synthesize(
    text: string,
    onAudio: (audio: ArrayBufferView | null, events: readonly EngineEvent[]) => boolean,
  ): void;
}

interface EngineEvent {
  /** `word` for the beginning of a word. */
  readonly type: string;
  /** In code points, from 1. */
  readonly text_position: number;
  /** In milliseconds, from the beginning of the text. */
  readonly audio_position: number;
}

const name = '@echogarden/espeak-ng-emscripten';
const { default: load } = (await import(name)) as {
  default: () => Promise<{ eSpeakNGWorker: new () => Engine }>;
};
const engine = new (await load()).eSpeakNGWorker();

/** The speech that the engine has made so far. The engine is stopped when `failure` is set. */
interface Speech {
  readonly chunks: Uint8Array[];
  lengthBytes: number;
  readonly marks: EspeakMark[];
  failure: EspeakFailure | null;
}

/** No sentence has more words. */
const MARKS_MAX = 2000;

/** Adds one part of the sentence. */
function speakPart(
  { text, voice, part }: EspeakQuestion['parts'][number] & { readonly part: number },
  limits: { readonly mostBytes: number; readonly mostMemoryBytes: number },
  speech: Speech,
): void {
  // Zero is success; for an unknown voice it would go on with the one before.
  if (engine.set_voice(voice) !== 0) {
    speech.failure = 'UNKNOWN_VOICE';
    return;
  }
  const startSample = speech.lengthBytes / 2;
  engine.synthesize(text, (audio, events) => {
    for (const { type, text_position: position, audio_position: ms } of events)
      if (type === 'word' && speech.marks.length < MARKS_MAX) {
        const sample = startSample + Math.round((ms * engine.samplerate) / 1000);
        speech.marks.push({ part, codePoint: position - 1, sample });
      }
    if (audio === null) return false;
    // The engine uses its buffer again.
    speech.chunks.push(new Uint8Array(audio.buffer, audio.byteOffset, audio.byteLength).slice());
    speech.lengthBytes += audio.byteLength;
    if (speech.lengthBytes > limits.mostBytes) speech.failure = 'TOO_LONG';
    if (process.memoryUsage.rss() > limits.mostMemoryBytes) speech.failure = 'TOO_LARGE';
    return speech.failure !== null;
  });
}

function speak({ parts, mostSamples, memory }: EspeakQuestion): EspeakAnswer {
  const limits = { mostBytes: mostSamples * 2, mostMemoryBytes: memory.mostBytes };
  const speech: Speech = { chunks: [], lengthBytes: 0, marks: [], failure: null };
  for (const [part, { text, voice }] of parts.entries()) {
    speakPart({ text, voice, part }, limits, speech);
    if (speech.failure !== null) return { failure: speech.failure };
  }
  if (speech.lengthBytes === 0) return { failure: 'SILENT' };
  const bytes = new Uint8Array(speech.lengthBytes);
  let offset = 0;
  for (const chunk of speech.chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  const { marks } = speech;
  return { pcm: new Int16Array(bytes.buffer), sampleRateHz: engine.samplerate, marks };
}

process.on('message', (question: EspeakQuestion) => {
  const answer = speak(question);
  const retiring = process.memoryUsage.rss() > question.memory.retireBytes;
  process.send?.({ ...answer, retiring });
});
