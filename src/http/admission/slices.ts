import { Readable } from 'node:stream';

/** How much of a long answer is written at once. The next slice shows that the client has taken the one before. */
export const SLICE_BYTES = 64 * 1024;

/** A long answer in slices. Each is written when the connection has room, so that `takenBytes` follows the client. */
export class Slices extends Readable {
  /** Bytes that the connection was given. */
  takenBytes = 0;

  constructor(private readonly whole: Buffer) {
    super({ highWaterMark: SLICE_BYTES });
  }

  override _read(): void {
    if (this.takenBytes >= this.whole.length) {
      this.push(null);
      return;
    }
    const slice = this.whole.subarray(this.takenBytes, this.takenBytes + SLICE_BYTES);
    this.takenBytes += slice.length;
    this.push(slice);
  }
}

/** Whether the whole answer is in memory. */
export const isBuffered = (payload: unknown): payload is string | Buffer =>
  typeof payload === 'string' || Buffer.isBuffer(payload);
