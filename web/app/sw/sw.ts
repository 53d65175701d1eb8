/// <reference lib="webworker" />
import {
  addRoute,
  cleanupOutdatedCaches,
  createHandlerBoundToURL,
  precache,
} from 'workbox-precaching';
import { createPartialResponse } from 'workbox-range-requests';
import { NavigationRoute, registerRoute } from 'workbox-routing';

declare const self: ServiceWorkerGlobalScope;
declare const PRECACHED: { url: string; revision: string | null }[];

/** Recordings that were kept for listening without a connection. The page fills and empties this cache. */
const RECORDINGS = 'talebank-recordings';
const ASSETS = 'talebank-assets';

/** After this time a page comes from the device, because a slow connection must not keep a listener waiting. */
const PAGE_MS = 3_000;

cleanupOutdatedCaches();
precache(PRECACHED);

const keptPage = createHandlerBoundToURL('/index.html');

/**
 * A page comes from the server if it answers, so that a new release and its content security policy take effect when a
 * page is opened. Otherwise it is the one that was kept.
 */
async function openPage(options: Parameters<typeof keptPage>[0]): Promise<Response> {
  const late = new Promise<null>((resolve) => setTimeout(() => resolve(null), PAGE_MS));
  const answered = fetch(options.request).catch(() => null);
  const response = await Promise.race([answered, late]);
  return response !== null && response.status < 500 ? response : keptPage(options);
}

// Pages are drawn by the app. The listed addresses belong to the server itself, as do files, whose names have a dot.
registerRoute(
  new NavigationRoute(openPage, {
    denylist: [
      /^\/(?:graphql|graphiql|files|streams|statements|dev|healthz|readyz|metrics)(?:\/|$)/,
      /^[^?]*\./,
    ],
  }),
);
// This route also answers for `/`, so it must come after that of the pages.
addRoute();

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

self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
