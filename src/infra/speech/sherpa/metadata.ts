import { open, type FileHandle } from 'node:fs/promises';

/** The fields of `ModelProto` that matter here. */
const GRAPH = 7;
const METADATA = 14;
/** The wire types of protobuf. */
const VARINT = 0;
const EIGHT_BYTES = 1;
const LENGTH = 2;
const FOUR_BYTES = 5;

const VARINT_BYTES_MAX = 10;
const FIELDS_MAX = 10_000;
const ENTRY_BYTES_MAX = 1024 * 1024;

/** The file is not an ONNX model. */
export class NoModelError extends Error {}

/**
 * Reads what the maker of a model has written into its file: sample rate, speakers, language and so on. Everything else
 * is skipped, because the file may have gigabytes. A library for protobuf would read all of it.
 * @throws NoModelError
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3
 */
export async function readModelMetadata(path: string): Promise<ReadonlyMap<string, string>> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    return await readFields(file, size);
  } finally {
    await file.close();
  }
}

/** How many voices a file of Supertonic's styles has: the first of its numbers. @throws NoModelError */
export async function readStyleCount(path: string): Promise<number> {
  const file = await open(path, 'r');
  try {
    const head = await readAt(file, 0, 8);
    if (head.length < 8) throw new NoModelError('it is incomplete');
    return Number(head.readBigInt64LE());
  } finally {
    await file.close();
  }
}

async function readFields(file: FileHandle, size: number): Promise<ReadonlyMap<string, string>> {
  const metadata = new Map<string, string>();
  let hasGraph = false;
  let offset = 0;
  for (let fields = 0; offset < size; fields += 1) {
    if (fields === FIELDS_MAX) throw new NoModelError('it has too many parts');
    const head = await readAt(file, offset, Math.min(2 * VARINT_BYTES_MAX, size - offset));
    const { value: tag, length } = varintAt(head, 0);
    const field = readLength(head, length, tag & 7);
    const start = offset + field.start;
    offset = start + field.bytes;
    if (offset > size) throw new NoModelError('it is incomplete');
    hasGraph ||= tag >> 3 === GRAPH;
    if (tag >> 3 === METADATA && field.bytes <= ENTRY_BYTES_MAX)
      readEntry(await readAt(file, start, field.bytes), metadata);
  }
  if (!hasGraph) throw new NoModelError('it is not an ONNX model');
  return metadata;
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, offset);
  return buffer.subarray(0, bytesRead);
}

/** A number of at most 53 bits, and how many bytes it has. */
function varintAt(bytes: Buffer, at: number): { value: number; length: number } {
  let value = 0;
  for (let index = 0; index < VARINT_BYTES_MAX; index += 1) {
    const byte = bytes[at + index];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, length: index + 1 };
  }
  throw new NoModelError('it is not an ONNX model');
}

/** Where the content of a field starts, counted from the field, and how many bytes it has. */
function readLength(
  head: Buffer,
  tagBytes: number,
  wire: number,
): { start: number; bytes: number } {
  if (wire === VARINT) return { start: tagBytes, bytes: varintAt(head, tagBytes).length };
  if (wire === EIGHT_BYTES) return { start: tagBytes, bytes: 8 };
  if (wire === FOUR_BYTES) return { start: tagBytes, bytes: 4 };
  if (wire !== LENGTH) throw new NoModelError('it is not an ONNX model');
  const { value, length } = varintAt(head, tagBytes);
  return { start: tagBytes + length, bytes: value };
}

/** A message with a key and a value. */
function readEntry(bytes: Buffer, metadata: Map<string, string>): void {
  const texts = new Map<number, string>();
  let offset = 0;
  while (offset < bytes.length) {
    const { value: tag, length } = varintAt(bytes, offset);
    const field = readLength(bytes.subarray(offset), length, tag & 7);
    const start = offset + field.start;
    offset = start + field.bytes;
    texts.set(tag >> 3, bytes.subarray(start, offset).toString());
  }
  metadata.set(texts.get(1) ?? '', texts.get(2) ?? '');
}
