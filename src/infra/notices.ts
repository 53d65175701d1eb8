import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { createClient } from './connections/session.js';
import type { Logger } from './log.js';

/** What the processes of one installation tell each other through Postgres (LISTEN and NOTIFY). */
export interface Notices {
  /** Must be called before `open`. Listeners of one channel are called in the order in which they were added. */
  listen(channel: string, listener: Listener): void;
  open(): void;
  /** Whether all notices until a moment ago have arrived. */
  current(): boolean;
  close(): Promise<void>;
}

export interface Listener {
  /** Called for each notice on the channel. */
  heard(payload: string): void;
  /** Called on each new connection, because the notices before it are lost. */
  missed(): void;
}

/** The connection may be dead when the last query that was answered was sent longer ago than this. */
const ANSWER_WITHIN_MS = 600;
const TIMEOUT_MS = 5_000;
const PAUSE_MS = 1_000;

/**
 * Listens on a connection of its own, and opens another one whenever that is lost.
 * @param options.purpose the end of the session's name
 * @param options.askEveryMs how often a query is sent on the same connection; its answer proves that all notices before it
 *   have arrived, because they come in order
 */
export function createNotices(options: {
  url: string;
  log: Logger;
  askEveryMs?: number;
  purpose?: string;
}): Notices {
  const { url, log, askEveryMs = 250, purpose = 'notices' } = options;
  const channels: Channels = new Map();
  const closing = new AbortController();
  let heardUntil = -Infinity;
  let listening: Promise<void> = Promise.resolve();

  const hear = async (client: pg.Client): Promise<never> => {
    const over = AbortSignal.any([closing.signal, lossOf(client)]);
    await listenOn(client, channels);
    for (;;) {
      const askedAt = performance.now();
      await requireListening(client, channels.size);
      heardUntil = askedAt;
      await sleep(askEveryMs, null, { signal: over });
    }
  };

  const keepHearing = async (): Promise<void> => {
    for (;;) {
      const client = createClient(url, {
        purpose,
        connectTimeoutMs: TIMEOUT_MS,
        answerTimeoutMs: TIMEOUT_MS,
        limits: { statementMs: TIMEOUT_MS },
      });
      await hear(client).catch((error: unknown) => {
        if (!closing.signal.aborted)
          log.warn({ event: 'notices-not-heard', err: error }, 'notices are not received');
      });
      heardUntil = -Infinity;
      await client.end().catch(() => undefined);
      if (closing.signal.aborted) return;
      await sleep(PAUSE_MS, null, { signal: closing.signal }).catch(() => undefined);
    }
  };

  return {
    listen: (channel, listener) =>
      void channels.set(channel, [...(channels.get(channel) ?? []), listener]),
    open: () => {
      listening = keepHearing();
    },
    current: () => performance.now() - heardUntil < ANSWER_WITHIN_MS,
    close: async () => {
      closing.abort();
      await listening;
    },
  };
}

type Channels = Map<string, readonly Listener[]>;

/** Not a promise, because one that lives as long as the connection would keep a reaction for every race with it. */
function lossOf(client: pg.Client): AbortSignal {
  const lost = new AbortController();
  client.on('error', (error) => {
    lost.abort(error);
  });
  client.on('end', () => {
    lost.abort();
  });
  return lost.signal;
}

/** Connects, and passes the notices on the channels to their listeners from then on. */
async function listenOn(client: pg.Client, channels: Channels): Promise<void> {
  client.on('notification', ({ channel, payload = '' }) => {
    for (const listener of channels.get(channel) ?? []) listener.heard(payload);
  });
  await client.connect();
  for (const channel of channels.keys()) await client.query(`LISTEN "${channel}"`);
  for (const listener of [...channels.values()].flat()) listener.missed();
}

/** @throws when the session does not listen any more, because a pooler has given it to another client */
async function requireListening(client: pg.Client, channelCount: number): Promise<void> {
  const { rows } = await client.query<{ count: number }>(
    'SELECT count(*)::int FROM pg_listening_channels()',
  );
  if (rows[0]?.count !== channelCount) throw new Error('The session does not listen.');
}
