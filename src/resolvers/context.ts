import type { GraphQLResolveInfo } from 'graphql';
import type { App } from '../services/app.js';
import { DomainError, unauthenticated } from '../domain/errors.js';
import type { Subscriber } from '../services/live/follow.js';
import type { Viewer } from '../services/sessions/viewer.js';
import type { AnswerSize } from './documents/answer-size.js';
import { createLoaders, type Loaders } from './loaders.js';

/** What every resolver of one request sees. */
export interface Context {
  readonly app: App;
  readonly requestId: string;
  /** The user who is signed in. Null without a token, or when the token was refused. */
  readonly viewer: Viewer | null;
  /** Why the token that came along was refused. */
  readonly refused: DomainError | null;
  readonly loaders: Loaders;
  /** The users who signed in with this request, and their sessions, because they may see their own data. */
  readonly justSignedIn: Map<string, string>;
  /** How much text has been asked for. */
  readonly answerSize: AnswerSize;
  /** Aborted when the client has disconnected, which ends its subscriptions. */
  readonly signal: AbortSignal;
  readonly device: { readonly userAgent: string | null; readonly ipAddress: string | null };
  /** The browser's refresh token, which scripts cannot see. */
  readonly refreshCookie: {
    /** Whether the browser that asks would keep it. */
    isKept(): boolean;
    read(): string | null;
    write(token: string, expiresAt: Date): void;
    clear(): void;
  };
}

type Resolve<Parent, Result> = (
  parent: Parent,
  args: object,
  context: Context,
  info: GraphQLResolveInfo,
) => Promise<Result>;

/**
 * A function around a resolver, as graphql-middleware calls it.
 * @typeParam Result what the resolver returns
 */
export type Middleware<Parent = unknown, Result = unknown> = (
  resolve: Resolve<Parent, Result>,
  ...resolved: Parameters<Resolve<Parent, Result>>
) => Promise<Result>;

/** What the transport knows of a request. */
export type RequestFacts = Omit<Context, 'loaders' | 'justSignedIn' | 'answerSize'>;

/**
 * The context of one request. Its loaders are new, because their caches must not outlive the request or serve another
 * viewer.
 */
export const createContext = (facts: RequestFacts): Context => ({
  ...facts,
  loaders: createLoaders(facts.app),
  justSignedIn: new Map(),
  answerSize: { characters: 0 },
});

/** The viewer, where the shield has let only signed-in people through. @throws UNAUTHENTICATED */
export function signedIn(context: Context): Viewer {
  if (context.viewer === null) throw context.refused ?? unauthenticated();
  return context.viewer;
}

/**
 * Why the token was refused, if its owner would see more with a valid one. A suspended account can get no valid token, and
 * sees what is public.
 */
const curableRefusal = ({ refused }: Pick<Context, 'refused'>): DomainError | null =>
  refused?.code === 'ACCOUNT_SUSPENDED' ? null : refused;

/** The user who is signed in. Null without a token. @throws why the token was refused, because a valid one would show more */
export function viewerOrStranger(context: Context): Viewer | null {
  const refusal = curableRefusal(context);
  if (refusal !== null) throw refusal;
  return context.viewer;
}

/**
 * Finds what strangers may not see.
 * @throws why the token was refused instead of NOT_FOUND, because it may be the viewer's own
 */
export async function findAsViewer<Found>(context: Context, found: Promise<Found>): Promise<Found> {
  try {
    return await found;
  } catch (error) {
    const refusal = curableRefusal(context);
    if (refusal !== null && error instanceof DomainError && error.code === 'NOT_FOUND')
      throw refusal;
    throw error;
  }
}

/** The user and the session that subscribe with this request. @throws UNAUTHENTICATED */
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
