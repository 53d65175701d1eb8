import type { FetcherReturnType } from '@graphiql/toolkit';
import { getOperationAST, OperationTypeNode, parse } from 'graphql';
import { createClient, NetworkError, type RequestParams } from 'graphql-sse';
import { fetchSigned } from './session.js';

const LOST =
  'The connection to the server is lost. Run it again: it begins with how things stand by then.';

const client = createClient({
  url: '/graphql/stream',
  // The person at this page is told, and decides.
  retryAttempts: 0,
  fetchFn: async (url: string, init: RequestInit) => readable(await fetchSigned(url, init)),
});

/**
 * What is refused has the status of its errors, which the client takes for a failure of something on the way, and
 * does not read. As events it reads them.
 */
async function readable(response: Response): Promise<Response> {
  if (response.ok) return response;
  const type = response.headers.get('content-type') ?? '';
  if (type.startsWith('text/event-stream')) return new Response(response.body);
  // What is refused before anybody knows that it is a subscription.
  if (!type.startsWith('application/json')) return response;
  const answer = JSON.stringify(await response.json());
  return new Response(`event: next\ndata: ${answer}\n\nevent: complete\ndata:\n\n`);
}

/** Whether this is to be followed rather than answered once. */
export function isSubscription({ query, operationName }: RequestParams): boolean {
  try {
    const operation = getOperationAST(parse(query), operationName);
    return operation?.operation === OperationTypeNode.SUBSCRIPTION;
  } catch {
    // The server says best what is wrong with it.
    return false;
  }
}

interface Sink {
  next(result: unknown): void;
  error(error: unknown): void;
  complete(): void;
}

/** Follows a subscription for GraphiQL, until it is over or GraphiQL stops it. */
export function follow(operation: RequestParams): FetcherReturnType {
  const subscribe = (sink: Sink): { unsubscribe: () => void } => {
    let stopped = false;
    // GraphiQL would take the end of one that it has stopped for the end of the one that it runs now.
    const unlessStopped = (tell: () => void): void => {
      if (!stopped) tell();
    };
    const stop = client.subscribe(operation, {
      next: (result) => {
        unlessStopped(() => {
          sink.next(result);
        });
      },
      error: (error) => {
        unlessStopped(() => {
          sink.error({ message: inWords(error) });
        });
      },
      complete: () => {
        unlessStopped(() => {
          sink.complete();
        });
      },
    });
    return {
      unsubscribe: () => {
        stopped = true;
        stop();
      },
    };
  };
  return { subscribe } as FetcherReturnType;
}

function inWords(error: unknown): string {
  if (error instanceof NetworkError && error.response === undefined) return LOST;
  return error instanceof Error ? error.message : String(error);
}
