/**
 * One connection for all tabs of a browser, because a browser opens only six to a host over HTTP/1.1. The tab that holds
 * the lock leads: it connects, and passes each event on. When it is closed, the next one leads.
 */
export interface Platform {
  /** Runs the work when no other tab holds the lock, and holds it until the work has ended or the signal aborts. */
  readonly lead: (work: () => Promise<void>, signal: AbortSignal) => Promise<void>;
  readonly send: (message: unknown) => void;
  readonly receive: (listener: (message: unknown) => void) => () => void;
}

export interface Shared<Event> {
  readonly platform: Platform;
  /** Connects, and resolves when the connection has ended. */
  readonly connect: (pass: (event: Event) => void, signal: AbortSignal) => Promise<void>;
  readonly pass: (event: Event) => void;
  /** Names what the event is the state of. A tab that comes later gets the latest event of each name. */
  readonly nameOf: (event: Event) => string;
}

interface Message<Event> {
  readonly kind: 'event' | 'hello';
  readonly event?: Event;
}

/** The latest events that are kept for tabs that come later. */
const KEPT = 50;

/** Follows the shared connection until the returned function is called. */
export function follow<Event>(shared: Shared<Event>): () => void {
  const { platform } = shared;
  const leaving = new AbortController();
  const latest = new Map<string, Event>();
  let leads = false;
  const stop = platform.receive((message) => {
    const { kind, event } = message as Message<Event>;
    if (kind === 'event' && event !== undefined && !leads) shared.pass(event);
    if (kind === 'hello' && leads)
      for (const kept of latest.values()) platform.send({ kind: 'event', event: kept });
  });
  const pass = (event: Event): void => {
    const name = shared.nameOf(event);
    latest.delete(name);
    latest.set(name, event);
    const [oldest] = latest.keys();
    if (latest.size > KEPT && oldest !== undefined) latest.delete(oldest);
    platform.send({ kind: 'event', event });
    shared.pass(event);
  };
  const work = async (): Promise<void> => {
    leads = true;
    await shared.connect(pass, leaving.signal);
    leads = false;
  };
  platform.send({ kind: 'hello' });
  void platform.lead(work, leaving.signal);
  return () => {
    leaving.abort();
    stop();
  };
}
