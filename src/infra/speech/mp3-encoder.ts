import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { EncoderAnswer, EncoderOrder, EncoderSettings } from './mp3-thread.js';

/** An MP3 stream that grows. Bytes may come later than the samples that they hold. Calls wait in line. */
export interface Mp3Encoder {
  /** @param pcm one channel; handed over, not usable afterwards */
  encode(pcm: Int16Array<ArrayBuffer>): Promise<Uint8Array>;
  /** The last bytes. */
  finish(): Promise<Uint8Array>;
  close(): Promise<void>;
}

/**
 * Encodes at a constant bit rate, so that the length of the file is exact. LAME runs in a thread of its
 * own, so that the event loop never waits for it.
 */
export async function openMp3Encoder(settings: EncoderSettings): Promise<Mp3Encoder> {
  const thread = new Worker(new URL('mp3-thread.js', import.meta.url), { workerData: settings });
  const ended = once(thread, 'exit').then(() => {
    throw new Error('The encoder ended.');
  });
  // Nobody may be waiting when it ends.
  ended.catch(() => undefined);
  await Promise.race([once(thread, 'message'), ended]);

  // Answers carry no names: an order goes out when the one before it has its answer.
  let before: Promise<unknown> = Promise.resolve();

  function order(message: EncoderOrder, transfer: ArrayBuffer[]): Promise<Uint8Array> {
    const answer = before.then(() => exchange(message, transfer));
    before = answer.catch(() => undefined);
    return answer;
  }

  async function exchange(message: EncoderOrder, transfer: ArrayBuffer[]): Promise<Uint8Array> {
    const answered = once(thread, 'message') as Promise<[EncoderAnswer]>;
    thread.postMessage(message, transfer);
    const [answer] = await Promise.race([answered, ended]);
    return answer.bytes;
  }

  return {
    encode: (pcm) => order({ kind: 'encode', pcm }, [pcm.buffer]),
    finish: () => order({ kind: 'finish' }, []),
    close: async () => {
      await thread.terminate();
    },
  };
}
