import type { App } from '../app.js';
import { readCoverOrigins } from './cover-origins.sql.js';

const GOOD_FOR_MS = 10_000;

export interface CoverOrigins {
  /** The origins that were read last. An old list is read again in the background. */
  current(): readonly string[];
}

/**
 * Remembers the origins of covers for the pages' content security policy. No page waits for the database: a page that
 * is opened just after a cover of a new origin was set can lack it, and shows the drawn cover instead.
 */
export function createCoverOrigins(app: Pick<App, 'db'>): CoverOrigins {
  let origins: readonly string[] = [];
  let readAt = -Infinity;
  let reading = false;
  const refresh = async (): Promise<void> => {
    reading = true;
    try {
      origins = (await readCoverOrigins(app.db)).flatMap(originOf);
      readAt = performance.now();
    } catch {
      // The database cannot be reached, so the last list stays in use.
    } finally {
      reading = false;
    }
  };
  void refresh();
  return {
    current: () => {
      if (!reading && performance.now() - readAt > GOOD_FOR_MS) void refresh();
      return origins;
    },
  };
}

/** A host can have characters such as `;` and `*`, which mean something else in a policy. */
const PLAIN_ORIGIN = /^https?:\/\/(?:[a-z0-9.-]+|\[[0-:a-f.]+\])(?::\d+)?$/;

const originOf = (address: string): string[] => {
  const origin = URL.canParse(address) ? new URL(address).origin : '';
  return PLAIN_ORIGIN.test(origin) ? [origin] : [];
};
