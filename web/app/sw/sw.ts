/// <reference lib="webworker" />
import {
  cleanupOutdatedCaches,
  createHandlerBoundToURL,
  precacheAndRoute,
} from 'workbox-precaching';
import { createPartialResponse } from 'workbox-range-requests';
import { NavigationRoute, registerRoute } from 'workbox-routing';

declare const self: ServiceWorkerGlobalScope;
declare const PRECACHED: { url: string; revision: string | null }[];

/** Recordings that were kept for listening without a connection. The page fills and empties this cache. */
const RECORDINGS = 'talebank-recordings';
const ASSETS = 'talebank-assets';

cleanupOutdatedCaches();
precacheAndRoute(PRECACHED);

// Pages are drawn by the app. These addresses belong to the server itself.
registerRoute(
  new NavigationRoute(createHandlerBoundToURL('/index.html'), {
    denylist: [
      /^\/(?:graphql|graphiql|files|streams|statements|dev|healthz|readyz|metrics|\.well-known)(?:\/|$)/,
    ],
  }),
);

// Faces and pages that were opened. Their names change with what is in them.
registerRoute(
  ({ url, sameOrigin }) => sameOrigin && url.pathname.startsWith('/assets/'),
  async ({ request }) => {
    const cache = await caches.open(ASSETS);
    const known = await cache.match(request);
    if (known !== undefined) return known;
    const response = await fetch(request);
    // The storage may be full.
    if (response.status === 200) void cache.put(request, response.clone()).catch(() => undefined);
    return response;
  },
);

// The address of a recording is signed anew each time, so that only its path tells what it is.
registerRoute(
  ({ url, sameOrigin }) => sameOrigin && url.pathname.startsWith('/files/'),
  async ({ request, url }) => {
    const cache = await caches.open(RECORDINGS);
    const kept = await cache.match(url.pathname, { ignoreSearch: true });
    if (kept === undefined) return fetch(request);
    // Stores answer no ranges by themselves, and players ask for ranges only.
    return request.headers.has('range') ? createPartialResponse(request, kept) : kept;
  },
);

self.addEventListener('message', (event) => {
  if (event.data === 'activate') void self.skipWaiting();
});
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
