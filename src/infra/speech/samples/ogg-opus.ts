import { notAudio, SpeechError } from '../provider.js';

/** An Ogg file of one Opus stream (RFC 3533, RFC 7845). */
export interface OggOpus {
  readonly channels: 1 | 2;
  /** How many samples of 48 kHz at the beginning are not meant to be heard. */
  readonly preSkip: number;
  /** How many samples of 48 kHz are meant to be heard; null when the file does not say. */
  readonly samples: number | null;
  readonly packets: readonly Uint8Array[];
}

const HEADER_BYTES = 27;
const HEAD = 'OpusHead';
const HEAD_BYTES = 19;
/** The packets before the sound: the head and the tags. */
const PACKETS_BEFORE = 2;

/** A packet lasts 2.5 ms at least (RFC 6716). */
const PACKETS_PER_SECOND_MAX = 400;

/**
 * Reads the packets of an Ogg Opus file.
 * @throws SpeechError, not permanent, for any other file, and for one with more packets than `mostSeconds` can have
 */
export function readOggOpus(file: Uint8Array, mostSeconds: number): OggOpus {
  const packetsMax = PACKETS_BEFORE + mostSeconds * PACKETS_PER_SECOND_MAX;
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const packets: Uint8Array[] = [];
  let begun: Uint8Array[] = [];
  let position = -1n;
  for (const page of pagesOf(bytes)) {
    position = page.position >= 0n ? page.position : position;
    for (const { part, isEnd } of page.parts) {
      begun.push(part);
      if (!isEnd) continue;
      packets.push(begun.length === 1 ? part : Buffer.concat(begun));
      begun = [];
      if (packets.length > packetsMax)
        throw new SpeechError('The speech is longer than the text can take.', {
          permanent: false,
          kind: 'too-long',
        });
    }
  }
  const head = headOf(packets[0]);
  const heard = Number(position) - head.preSkip;
  return { ...head, samples: heard > 0 ? heard : null, packets: packets.slice(PACKETS_BEFORE) };
}

function headOf(packet: Uint8Array | undefined): Pick<OggOpus, 'channels' | 'preSkip'> {
  const head = Buffer.from(packet ?? []);
  if (head.length < HEAD_BYTES || head.toString('latin1', 0, HEAD.length) !== HEAD)
    throw notAudio('The answer is not Opus.');
  const channels = head.readUInt8(9);
  if (channels !== 1 && channels !== 2)
    throw notAudio(`The answer has ${String(channels)} channels.`);
  return { channels, preSkip: head.readUInt16LE(10) };
}

interface Page {
  /** The samples of 48 kHz up to its end; negative when no packet ends in it. */
  readonly position: bigint;
  readonly parts: readonly { readonly part: Uint8Array; readonly isEnd: boolean }[];
}

/** A page that is cut short ends the file. */
function* pagesOf(bytes: Buffer): Generator<Page> {
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    if (bytes.toString('latin1', at, at + 4) !== 'OggS')
      throw notAudio('The Ogg file has bytes between its pages that belong to no page.');
    const segments = bytes.readUInt8(at + 26);
    const table = bytes.subarray(at + HEADER_BYTES, at + HEADER_BYTES + segments);
    let start = at + HEADER_BYTES + segments;
    const end = start + table.reduce((sum, lengthBytes) => sum + lengthBytes, 0);
    if (table.length < segments || end > bytes.length) return;
    const parts: { part: Uint8Array; isEnd: boolean }[] = [];
    let from = start;
    for (const [index, lengthBytes] of table.entries()) {
      start += lengthBytes;
      // A packet ends with a segment that is not full; one that fills the page goes on in the next.
      const isEnd = lengthBytes < 255;
      if (!isEnd && index < table.length - 1) continue;
      parts.push({ part: bytes.subarray(from, start), isEnd });
      from = start;
    }
    yield { position: bytes.readBigInt64LE(at + 6), parts };
    at = end;
  }
}
