/*
 * What clients can make this process hold, so that it stays below 600 MB whatever they do. A body of one byte takes
 * about four as text and as parsed JSON, and a running operation takes about twice the bytes of its answer.
 */

export const MB = 1024 * 1024;

export const BODY_BYTES_MAX = MB;
/**
 * The body of an administrator: a story has 200,000 characters, and JSON may take twelve bytes for each; a bulk grant has 10,000
 * rows, and the longest address takes 254 bytes.
 */
export const LARGE_BODY_BYTES_MAX = 4 * MB;
/** Bodies that are being received, or that belong to requests without an answer yet. */
export const BODY_BOUNDS = { addressBytesMax: 12 * MB, bytesMax: 32 * MB };
/** Running operations, each with the most that its answer may have, and answers that their clients have not taken. */
export const ANSWER_BOUNDS = { addressBytesMax: 16 * MB, bytesMax: 80 * MB };

/** On one connection, where each request after the first waits for the one before it. */
export const REQUESTS_PER_CONNECTION_MAX = 16;
/** Far more than any client or proxy sends. */
export const HEADERS_MAX = 200;

export const UNREAD_BOUNDS = {
  /** A client that takes less than this of its answer is cut off. */
  bytesPerSecondMin: 16 * 1024,
  /** The rate is measured over this time. */
  windowMs: 10_000,
  /** For the whole of an answer. */
  durationMsMax: 60_000,
};

/** What is left of a refused body is read and thrown away, so that its client sees the answer. */
export const DISCARD = {
  /** The bytes that are read of one body before its answer, and again after it. */
  bytesMax: 8 * MB,
  /** The same for the time. */
  durationMsMax: 5_000,
  /** A client that sends nothing for this time waits for its answer. */
  silenceMsMax: 1_000,
  /** A bound for all bodies together, because reading costs time of the event loop. */
  bytesPerSecondMax: 64 * MB,
  /** What one such body has in memory at a time. */
  bufferBytes: 64 * 1024,
};
/** Buffers of bodies that are thrown away: 64 at once for an address, and 256 for all. */
export const DISCARD_BOUNDS = { addressBytesMax: 4 * MB, bytesMax: 16 * MB };

/** A supervisor that asks here must not restart a process because clients keep it busy. */
export const HEALTH_PATHS = ['/healthz', '/readyz'];
