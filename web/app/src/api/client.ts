import { Client, fetchExchange, subscriptionExchange, type Operation } from '@urql/core';
import { authExchange } from '@urql/exchange-auth';
import { cacheExchange, offlineExchange } from '@urql/exchange-graphcache';
import { makeDefaultStorage } from '@urql/exchange-graphcache/default-storage';
import { keys, resolvers, updates } from './cache.js';
import { fetchWithClock } from './clock.js';
import { followShared } from './live.js';
import { end, onLeave } from '../session/leave.js';
import { refresh } from '../session/refresh.js';
import { accessToken, needsRefresh, session } from '../session/state.js';

/** Null where the browser forbids its database. Then nothing is shown without a connection, and the rest works. */
function openStorage(idbName: string): ReturnType<typeof makeDefaultStorage> | null {
  try {
    return makeDefaultStorage({ idbName, maxAge: 30 });
  } catch {
    return null;
  }
}

/** A client for one person, or for a visitor. What it has read is kept, and shown without a connection. */
export function createTalebankClient(personId: string | null): Client {
  const storage = openStorage(`talebank.${personId ?? 'public'}`);
  if (storage !== null) onLeave(() => storage.clear());
  return new Client({
    url: '/graphql',
    preferGetMethod: false,
    // What is kept is shown at once, and what is new replaces it.
    requestPolicy: 'cache-and-network',
    fetch: fetchWithClock,
    exchanges: [
      storage === null
        ? cacheExchange({ keys, resolvers, updates })
        : offlineExchange({
            keys,
            resolvers,
            updates,
            storage,
            isOfflineError: (error) => error?.networkError != null,
          }),
      authExchange((utilities) => {
        const authorize = (operation: Operation): Operation => {
          const token = accessToken();
          return token === null
            ? operation
            : utilities.appendHeaders(operation, { authorization: `Bearer ${token}` });
        };
        return Promise.resolve({
          addAuthToOperation: authorize,
          willAuthError: needsRefresh,
          didAuthError: ({ graphQLErrors }) =>
            graphQLErrors.some(({ extensions }) => {
              if (extensions['code'] === 'ACCOUNT_SUSPENDED') end();
              return extensions['code'] === 'UNAUTHENTICATED';
            }),
          refreshAuth: async () => {
            const failure = await refresh(accessToken());
            // Without a token the answer would be that of a stranger, and would replace what is kept.
            if (failure !== null && session.get().person !== null)
              throw new TypeError(failure.code);
          },
        });
      }),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: (body) => ({
          subscribe(sink) {
            const unsubscribe = followShared(body, authorization, sink);
            return { unsubscribe };
          },
        }),
      }),
    ],
  });
}

/** Read at each connection, because a token is valid for ten minutes and a connection lasts for hours. */
async function authorization(): Promise<Record<string, string>> {
  if (needsRefresh()) await refresh();
  const token = accessToken();
  return token === null ? {} : { authorization: `Bearer ${token}` };
}
