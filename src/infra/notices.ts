import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import type { Logger } from './log.js';

/** What the processes of one installation tell each other through Postgres (LISTEN and NOTIFY). */
export interface Notices {
  /** Before `open`. Of several on one channel, those that came first are told first. */
  listen(channel: string, listener: Listener): void;
  open(): void;
  /** Whether everything that was told until a moment ago has been heard. */
  current(): boolean;
  close(): Promise<void>;
}

export interface Listener {
  /** Somebody told something on the channel. */
  heard(payload: string): void;
  /** What was told meanwhile is lost: the connection is new. */
  missed(): void;
}

/** With no answer to a question that was asked this short ago, the connection may be dead. */
const ANSWER_WITHIN_MS = 600;
const TIMEOUT_MS = 5_000;
const PAUSE_MS = 1_000;

/**
 * Hears on one connection of its own, and opens another one whenever that is lost.
 * @param options.askEveryMs notices come in order, so that an answer on the same connection means that all before it have come
 */
export function createNotices(options: { url: string; log: Logger; askEveryMs?: number }): Notices {
  const { url, log, askEveryMs = 250 } = options;
  const channels = new Map<string, Listener[]>();
  const closing = new AbortController();
  let heardUntil = -Infinity;
  let listening: Promise<void> = Promise.resolve();

  const hear = async (client: pg.Client): Promise<never> => {
    // A promise that lives as long as the connection would remember every race that it took part in.
    const lost = new AbortController();
    client.on('error', (error) => {
      lost.abort(error);
    });
    client.on('end', () => {
      lost.abort();
    });
    const over = AbortSignal.any([closing.signal, lost.signal]);
    client.on('notification', ({ channel, payload = '' }) => {
      for (const listener of channels.get(channel) ?? []) listener.heard(payload);
    });
    await client.connect();
    for (const channel of channels.keys()) await client.query(`LISTEN "${channel}"`);
    for (const listener of [...channels.values()].flat()) listener.missed();
    for (;;) {
      const askedAt = performance.now();
      const { rows } = await client.query<{ count: number }>(
        'SELECT count(*)::int FROM pg_listening_channels()',
      );
      // A pooler may have given the session to somebody else.
      if (rows[0]?.count !== channels.size) throw new Error('The session does not listen.');
      heardUntil = askedAt;
      await sleep(askEveryMs, null, { signal: over });
    }
  };

  const keepHearing = async (): Promise<void> => {
    for (;;) {
      const client = new pg.Client({
        connectionString: url,
        application_name: 'talebank-notices',
        connectionTimeoutMillis: TIMEOUT_MS,
        query_timeout: TIMEOUT_MS,
      });
      await hear(client).catch((error: unknown) => {
        if (!closing.signal.aborted) log.warn({ err: error }, 'notices are not heard');
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
