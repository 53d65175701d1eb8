import { createClient } from './session.js';

const CONNECT_TIMEOUT_MS = 2_000;
/** How long a result is cached, because each connection costs the database a process and anyone may ask. */
const REMEMBERED_MS = 1_000;

/**
 * Checks whether the database accepts new connections. A pool does not notice that while it has open ones.
 * @returns the check, which opens at most one connection at once and one a second
 */
export function createConnectionCheck(url: string): () => Promise<void> {
  let outcome: Promise<void> = Promise.resolve();
  let askedUntil = -Infinity;
  return () => {
    if (performance.now() < askedUntil) return outcome;
    askedUntil = Infinity;
    outcome = connectOnce(url).finally(() => {
      askedUntil = performance.now() + REMEMBERED_MS;
    });
    return outcome;
  };
}

/** @throws what the database says, or that it did not answer */
async function connectOnce(url: string): Promise<void> {
  const client = createClient(url, {
    purpose: 'health',
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    answerTimeoutMs: CONNECT_TIMEOUT_MS,
  });
  // A connection that is cut at this moment must not end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
  } finally {
    // Not waited for: a database that hangs would not answer this either.
    void client.end().catch(() => undefined);
  }
}
