import type { App } from '../../app.js';
import { toWebVtt, type Cue } from '../../domain/captions.js';
import { openMp3Encoder, type Mp3Encoder } from '../../infra/speech/mp3-encoder.js';
import { SpeechError, type SpokenSentence } from '../../infra/speech/provider.js';
import { storeWhole } from '../../infra/storage/storage.js';
import { storageKey } from './addresses.js';

/** An MP3 file that grows sentence by sentence, with the captions that go with it. */
export interface Recording {
  add(text: string, spoken: SpokenSentence): Promise<void>;
  /** Makes both files durable. Lengths in milliseconds and bytes of MP3. */
  finish(): Promise<{ durationMs: number; lengthBytes: number }>;
  /** Leaves no trace. Safe after anything. */
  abandon(): Promise<void>;
}

/** Holds one sentence in memory at a time, however long the text. */
export async function openRecording(app: App, renditionHash: string): Promise<Recording> {
  const file = await app.storage.openWriter(storageKey(renditionHash, 'mp3'));
  const cues: Cue[] = [];
  let encoder: Mp3Encoder | undefined;
  let sampleRateHz = 0;
  let samples = 0;
  const millisecondsOf = (count: number): number => Math.round((count * 1000) / sampleRateHz);

  async function encoderFor(spoken: SpokenSentence): Promise<Mp3Encoder> {
    if (encoder === undefined) {
      sampleRateHz = spoken.sampleRateHz;
      encoder = await openMp3Encoder({
        sampleRateHz,
        bitrateKbps: app.config.synthesis.bitrateKbps,
      });
    }
    if (spoken.sampleRateHz !== sampleRateHz) {
      throw new SpeechError('The provider changed its sample rate in the middle.', {
        permanent: true,
      });
    }
    return encoder;
  }

  return {
    async add(text, spoken) {
      const mp3 = await encoderFor(spoken);
      const startMs = millisecondsOf(samples);
      samples += spoken.pcm.length;
      cues.push({ startMs, endMs: millisecondsOf(samples), text });
      await file.write(await mp3.encode(spoken.pcm));
    },
    async finish() {
      if (encoder === undefined) throw new SpeechError('Nothing was spoken.', { permanent: true });
      await file.write(await encoder.finish());
      await encoder.close();
      const captions = Buffer.from(toWebVtt(cues));
      await storeWhole(app.storage, storageKey(renditionHash, 'vtt'), captions);
      return { durationMs: millisecondsOf(samples), lengthBytes: await file.finish() };
    },
    async abandon() {
      await encoder?.close();
      await file.abandon();
    },
  };
}
