import { AsyncLocalStorage } from 'node:async_hooks';

/** The request that is being answered, for whoever is not told: the formatter of errors. */
export const currentRequest = new AsyncLocalStorage<{ readonly requestId: string }>();
