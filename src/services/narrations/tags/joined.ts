/** The header of an ID3v2 tag: its mark, version, flags, and the length of what follows (ID3v2.3, 3.1). */
export const HEADER_BYTES = 10;
/** Only seven bits of each byte of the length count, so that it never looks like the header of an MP3 frame. */
const LENGTH_BITS = 7;

/**
 * The length of the tag that these bytes begin with, its header included.
 * @param header the first HEADER_BYTES bytes of a file
 * @returns 0 when they begin no tag
 */
export function tagLengthOf(header: Uint8Array): number {
  if (header.length < HEADER_BYTES || Buffer.from(header.subarray(0, 3)).toString() !== 'ID3')
    return 0;
  const sizes = header.subarray(6, HEADER_BYTES);
  return HEADER_BYTES + sizes.reduce((size, byte) => (size << LENGTH_BITS) | (byte & 0x7f), 0);
}

/**
 * One tag with the frames of both, because players read only the first tag of a file. It is as long as both tags
 * together, so that the length of what is served is the sum of its parts.
 * @param tag and `other` are tags of version 2.3 without flags
 */
export function joinTags(tag: Uint8Array, other: Uint8Array): Uint8Array {
  if (other.length === 0) return tag;
  // Zeros after the last frame are padding.
  const joined = Buffer.alloc(tag.length + other.length);
  joined.set(tag);
  joined.set(other.subarray(HEADER_BYTES), tag.length);
  let rest = joined.length - HEADER_BYTES;
  for (let at = HEADER_BYTES - 1; at >= 6; at -= 1) {
    joined[at] = rest & 0x7f;
    rest >>>= LENGTH_BITS;
  }
  return joined;
}
