import { Agent, request } from 'node:http';

/** A subscription that has told how things stand. */
export interface Subscription {
  /** When the next event comes, as performance.now() has it. */
  next(): Promise<number>;
  isOver(): boolean;
  close(): void;
}

const agent = new Agent({ keepAlive: false, maxSockets: Infinity });

/** Opens one as server-sent events, with as little of our own as can be, for thousands are open at once. */
export async function subscribe(
  url: string,
  query: string,
  variables: object,
  token: string,
): Promise<Subscription> {
  const state = { over: false, rest: '' };
  let waiting: { resolve: (at: number) => void; reject: (error: Error) => void }[] = [];
  const next = (): Promise<number> =>
    new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  const end = (why: string): void => {
    state.over = true;
    for (const { reject } of waiting) reject(new Error(`The subscription has ended: ${why}`));
  };
  const hear = (chunk: string): void => {
    const messages = (state.rest + chunk).split('\n\n');
    state.rest = messages.pop() ?? '';
    for (const message of messages) {
      if (!message.startsWith('event: next')) continue;
      if (message.includes('"errors"')) {
        end(message);
        return;
      }
      const told = waiting;
      waiting = [];
      for (const { resolve } of told) resolve(performance.now());
    }
  };
  const first = next();
  const asked = request(`${url}/graphql`, {
    method: 'POST',
    agent,
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: `Bearer ${token}`,
    },
  });
  asked.once('response', (response) => {
    response.setEncoding('utf8').on('data', hear);
    response.once('close', () => {
      end('closed');
    });
  });
  asked.on('error', (error) => {
    end(error.message);
  });
  asked.end(JSON.stringify({ query, variables }));
  await first;
  return { next, isOver: () => state.over, close: () => void asked.destroy() };
}
