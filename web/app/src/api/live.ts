import type { ExecutionResult, SubscriptionForwarder } from '@urql/core';
import type { RequestParams } from 'graphql-sse';
import { fetchWithClock } from './clock.js';
import { browserPlatform } from './browser-platform.js';
import { follow, type Platform } from './leader.js';

type FetchBody = Parameters<SubscriptionForwarder>[0];

const PAUSE_MS = { first: 1000, longest: 30_000 };

let platform: Platform | undefined;

type Headers = () => Promise<Record<string, string>>;

interface Sink {
  readonly next: (result: ExecutionResult) => void;
}

/** Follows a subscription through the connection that all tabs share, and connects again when it is lost. */
export function followShared(body: FetchBody, headers: Headers, sink: Sink): () => void {
  platform ??= browserPlatform('talebank.live');
  return follow<ExecutionResult>({
    platform,
    pass: (result) => sink.next(result),
    nameOf,
    connect: (pass, signal) => keepConnected(body, headers, pass, signal),
  });
}

/** Credits, or the id of a narration. */
function nameOf(result: ExecutionResult): string {
  const change = (result.data as { changes?: { __typename?: string; id?: string } } | null)
    ?.changes;
  return `${change?.__typename ?? ''} ${change?.id ?? ''}`;
}

async function keepConnected(
  body: FetchBody,
  headers: Headers,
  pass: (result: ExecutionResult) => void,
  signal: AbortSignal,
): Promise<void> {
  let pause = PAUSE_MS.first;
  while (!signal.aborted) {
    const outcome = await connectOnce(body, headers, pass, signal);
    if (outcome === 'refused') return;
    pause = outcome === 'heard' ? PAUSE_MS.first : Math.min(pause * 2, PAUSE_MS.longest);
    await pauseFor(pause * (0.75 + Math.random() / 2), signal);
  }
}

type Outcome = 'heard' | 'silent' | 'refused';

async function connectOnce(
  body: FetchBody,
  headers: Headers,
  pass: (result: ExecutionResult) => void,
  signal: AbortSignal,
): Promise<Outcome> {
  let outcome: Outcome = 'silent';
  try {
    // Loaded when it is needed, because a visitor follows nothing.
    const { createClient } = await import('graphql-sse');
    if (signal.aborted) return outcome;
    // Its own retries take a refusal for a lost connection.
    const client = createClient({
      url: '/graphql/stream',
      retryAttempts: 0,
      headers,
      fetchFn: fetchEvents,
    });
    const leave = (): void => client.dispose();
    signal.addEventListener('abort', leave, { once: true });
    try {
      for await (const result of client.iterate(body as RequestParams)) {
        if (result.errors === undefined) outcome = 'heard';
        else if (result.errors.some(endsSession)) outcome = 'refused';
        else break;
        pass(result as ExecutionResult);
      }
    } finally {
      signal.removeEventListener('abort', leave);
      client.dispose();
    }
  } catch {
    // The connection is lost, and is made again after a pause.
  }
  return outcome;
}

const endsSession = ({ extensions }: { extensions?: Record<string, unknown> }): boolean =>
  extensions?.['code'] === 'UNAUTHENTICATED' || extensions?.['code'] === 'ACCOUNT_SUSPENDED';

/** A refusal is an event in an answer with its status. The client reads events only from answers with 200. */
async function fetchEvents(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const response = await fetchWithClock(input, init);
  const isEvents = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
  if (response.ok || !isEvents) return response;
  return new Response(response.body, { status: 200, headers: response.headers });
}

/** Waits, or until the browser is online again. */
const pauseFor = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      window.removeEventListener('online', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    window.addEventListener('online', done);
    signal.addEventListener('abort', done, { once: true });
  });
