import { setTimeout as sleep } from 'node:timers/promises';
import { SpeechError, stopped } from './provider.js';

/** Delays requests while the provider has asked not to be called. */
export interface RateGate {
  /** @throws SpeechError: the signal was aborted, or it would take too long */
  wait(signal: AbortSignal): Promise<void>;
  /** Takes note of an answer of `429 Too Many Requests`, or of another with Retry-After. */
  closeAfter(error: SpeechError): void;
  /** Why it is closed; null while it is open, or opens soon. */
  resting(): string | null;
  /** How long it is closed; 0 while it is open. */
  closedMs(): number;
}

/** The longest that a request waits. A longer pause is left to the caller, so that no worker stands still for it. */
const WAIT_MS_MAX = 5_000;
/** A longer pause than this counts as a rest, which operators are told of. */
const NOTABLE_MS = 300_000;
/** The longest that the gate stays closed, even if the provider asks for more. */
const CLOSED_MS_MAX = 3_600_000;
/** For a 429 that does not say how long. */
const UNSAID_MS = 1000;

/** Open at first. One for each provider and process. */
export function createRateGate(): RateGate {
  let opensAt = 0;
  const closedForMs = (): number => opensAt - Date.now();

  const resting = (): string | null =>
    closedForMs() > NOTABLE_MS
      ? `wants no request for another ${String(Math.ceil(closedForMs() / 60_000))} minutes.`
      : null;

  return {
    resting,
    closedMs: () => Math.max(0, closedForMs()),
    closeAfter: ({ kind, retryAfterMs }) => {
      if (kind !== 'rate-limited' && retryAfterMs === null) return;
      const forMs = Math.min(retryAfterMs ?? UNSAID_MS, CLOSED_MS_MAX);
      opensAt = Math.max(opensAt, Date.now() + forMs);
    },
    wait: async (signal) => {
      const deadline = Date.now() + WAIT_MS_MAX;
      // Each answer meanwhile may have closed it for longer.
      while (!signal.aborted && closedForMs() > 0) {
        if (opensAt > deadline) {
          throw new SpeechError('The speech provider wants no request at the moment.', {
            permanent: false,
            kind: 'resting',
          });
        }
        await sleep(closedForMs(), undefined, { signal }).catch(() => undefined);
      }
      if (signal.aborted) throw stopped();
    },
  };
}

/**
 * What Retry-After asks for: seconds, or an HTTP date (RFC 9110, 10.2.3).
 * @returns null when it is absent, nonsense, or over already
 */
export function retryAfterMsOf(header: string | null, now = Date.now()): number | null {
  const value = header?.trim() ?? '';
  const ms = /^\d{1,9}$/.test(value)
    ? Number(value) * 1000
    : /^[A-Z][a-z]{2,8}, \S.* \d{2}:\d{2}:\d{2} GMT$/.test(value)
      ? Date.parse(value) - now
      : NaN;
  return ms > 0 ? ms : null;
}
