import type { App } from '../app.js';
import { unauthenticated, type DomainError } from '../domain/errors.js';
import type { Tally } from '../services/limits.js';
import type { Subscriber } from '../services/live/follow.js';
import type { Viewer } from '../services/sessions/viewer.js';
import { createLoaders, type Loaders } from './loaders.js';

/** What every resolver of one request sees. */
export interface Context {
  readonly app: App;
  readonly requestId: string;
  /** Who is asking; null when nobody is signed in, or the token was refused. */
  readonly viewer: Viewer | null;
  /** Why the token that came along was refused. */
  readonly refused: DomainError | null;
  readonly loaders: Loaders;
  /** Who signed in with this very request, and with which session: they may see themselves. */
  readonly justSignedIn: Map<string, string>;
  /** Mutations that were counted against a limit. */
  readonly counted: Set<string>;
  /** Reads of points that were counted together, and in which order their places were come to. */
  readonly creditReads: { tally: Promise<Tally> | null; readonly places: Map<string, number> };
  /** Aborted when whoever asked has gone; subscriptions end with it. */
  readonly signal: AbortSignal;
  readonly device: { readonly userAgent: string | null; readonly ipAddress: string | null };
  /** The browser's refresh token, which scripts cannot see. */
  readonly refreshCookie: {
    read(): string | null;
    write(token: string, expiresAt: Date): void;
    clear(): void;
  };
}

/** What the transport knows of a request. */
export type RequestFacts = Omit<Context, 'loaders' | 'justSignedIn' | 'counted' | 'creditReads'>;

export const createContext = (facts: RequestFacts): Context => ({
  ...facts,
  loaders: createLoaders(facts.app),
  justSignedIn: new Map(),
  counted: new Set(),
  creditReads: { tally: null, places: new Map() },
});

/** The viewer, where the shield has let only signed-in people through. @throws UNAUTHENTICATED */
export function signedIn(context: Context): Viewer {
  if (context.viewer === null) throw context.refused ?? unauthenticated();
  return context.viewer;
}

/** Who follows something with this request. @throws UNAUTHENTICATED */
export const subscriberOf = (context: Context): Subscriber => ({
  viewer: signedIn(context),
  signal: context.signal,
});

/** Whether this is the device that asks, or the one that was signed in just now. */
export const isCurrentSession = (
  context: Context,
  session: { userId: string; id: string },
): boolean =>
  session.id === context.viewer?.sessionId ||
  session.id === context.justSignedIn.get(session.userId);
