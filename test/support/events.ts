import { setTimeout as sleep } from 'node:timers/promises';
import type { GraphqlError } from './client.js';
import type { TypedDocumentString } from './generated/graphql.js';

export interface SeenEvent<Data> {
  readonly data: Data | null;
  readonly errors: readonly GraphqlError[];
  /** When it came, as performance.now() has it. */
  readonly at: number;
}

/** A subscription as a client sees it. */
export interface Following<Data> {
  readonly status: number;
  readonly headers: Headers;
  readonly events: readonly SeenEvent<Data>[];
  /** Whether the server has said that it is complete. */
  readonly completed: () => boolean;
  /** Whether the connection is over, however it went. */
  readonly isOver: () => boolean;
  /** Waits for an event that is so, also among those that came. */
  until(isSo: (data: Data) => boolean, timeoutMs?: number): Promise<SeenEvent<Data>>;
  close(): void;
}

const opened = new Set<() => void>();

/** Ends whatever a test has left open. */
export function stopFollowing(): void {
  for (const close of opened) close();
  opened.clear();
}

/** Follows something, reading the stream as the HTML standard (9.2.6) has it. */
export async function follow<Data = Record<string, never>>(
  url: string,
  query: string,
  variables: object = {},
  options: { token?: string | undefined; path?: string; headers?: Record<string, string> } = {},
): Promise<Following<Data>> {
  const { token, path = '/graphql', headers = {} } = options;
  const over = new AbortController();
  const close = (): void => {
    over.abort();
  };
  opened.add(close);
  const response = await fetch(url + path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: JSON.stringify({ query, variables }),
    signal: over.signal,
  });
  const events: SeenEvent<Data>[] = [];
  const state = { completed: false, over: false };
  const read = async (): Promise<void> => {
    let text = '';
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString();
      const messages = text.split('\n\n');
      text = messages.pop() ?? '';
      for (const message of messages) {
        if (message.startsWith('event: complete')) state.completed = true;
        const json = /^event: next\ndata: (.*)$/m.exec(message)?.[1];
        if (json === undefined) continue;
        const { data = null, errors = [] } = JSON.parse(json) as Partial<SeenEvent<Data>>;
        events.push({ data, errors, at: performance.now() });
      }
    }
  };
  void read()
    .catch(() => undefined)
    .finally(() => (state.over = true));
  return {
    status: response.status,
    headers: response.headers,
    events,
    completed: () => state.completed,
    isOver: () => state.over,
    until: async (isSo, timeoutMs = 60_000) => {
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        const found = events.find(({ data }) => data !== null && isSo(data));
        if (found !== undefined) return found;
        if (performance.now() > deadline)
          throw new Error(`It was never told; this was: ${JSON.stringify(events)}`);
        await sleep(5);
      }
    },
    close,
  };
}

/** Follows an operation whose types were made from the schema. */
export const followTyped = <Data, Variables extends object>(
  url: string,
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
  token?: string,
): Promise<Following<Data>> => follow<Data>(url, document.toString(), variables, { token });
