import {
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  DelegateBackoff,
  handleWhen,
  isBrokenCircuitError,
  type CircuitBreakerPolicy,
} from 'cockatiel';
import pLimit from 'p-limit';
import type { Metrics } from '../metrics.js';
import {
  SpeechError,
  stopped,
  type SpeechProvider,
  type SpeechRequest,
  type SpokenSentence,
} from './provider.js';
import { createRateGate } from './rate-gate.js';

/** A provider without its guard. */
export type BareProvider = Omit<SpeechProvider, 'concurrency' | 'resting' | 'restMs'>;

interface GuardOptions {
  /** Sentences at once. */
  readonly concurrency: number;
  readonly metrics: Pick<Metrics, 'speechRequests' | 'speechRequestSeconds' | 'speechSeconds'>;
  readonly rest?: Rest;
}

/** After how many failures in a row a provider rests; how long the first time, and at most. */
interface Rest {
  readonly failures: number;
  readonly firstMs: number;
  readonly mostMs: number;
}

const REST: Rest = { failures: 5, firstMs: 10_000, mostMs: 300_000 };

/**
 * Wraps a provider with what all providers need: a bound on concurrent requests; a circuit breaker that opens when the
 * provider keeps failing, and that one trial request (half-open) closes or opens for longer; waiting when the provider asks
 * for that by Retry-After; and metrics. It never retries, because the caller decides whether to.
 */
export function guardProvider(provider: BareProvider, options: GuardOptions): SpeechProvider {
  const { metrics, concurrency, rest = REST } = options;
  const name = { provider: provider.name };
  const turn = pLimit(concurrency);
  const gate = createRateGate();
  const breaker = createBreaker(rest);

  const resting = (): string | null => {
    const why = breaker.resting() ?? gate.resting();
    return why === null ? null : `The speech provider ${provider.name} ${why}`;
  };

  async function request(asked: SpeechRequest, signal: AbortSignal): Promise<SpokenSentence> {
    const startedAt = performance.now();
    try {
      return await provider.speak(asked, signal);
    } catch (error) {
      if (error instanceof SpeechError) gate.closeAfter(error);
      throw error;
    } finally {
      metrics.speechRequestSeconds.observe(name, (performance.now() - startedAt) / 1000);
    }
  }

  async function speak(asked: SpeechRequest, signal: AbortSignal): Promise<SpokenSentence> {
    const why = resting();
    if (why !== null) throw isResting(why);
    try {
      return await untilSent(signal, (onSend) =>
        turn(async () => {
          await gate.wait(signal);
          return await breaker.policy.execute(async () => {
            // Waits again, because a half-open breaker may have held this request back during the trial of another one.
            await gate.wait(signal);
            onSend();
            return await request(asked, signal);
          });
        }),
      );
    } catch (error) {
      if (!isBrokenCircuitError(error)) throw error;
      throw isResting(resting() ?? `The speech provider ${provider.name} rests.`);
    }
  }

  return {
    ...provider,
    concurrency,
    resting,
    restMs: () => Math.max(breaker.restMs(), gate.closedMs()),
    speak: counted(speak, name, metrics),
  };
}

/** Counts requests by their results, also those that were not sent, and the seconds of speech. */
const counted =
  (
    speak: SpeechProvider['speak'],
    name: { readonly provider: string },
    metrics: GuardOptions['metrics'],
  ): SpeechProvider['speak'] =>
  async (asked, signal) => {
    try {
      const spoken = await speak(asked, signal);
      metrics.speechRequests.inc({ ...name, result: 'ok' });
      metrics.speechSeconds.inc(name, spoken.pcm.length / spoken.sampleRateHz);
      return spoken;
    } catch (error) {
      const result = error instanceof SpeechError ? error.kind : 'died';
      metrics.speechRequests.inc({ ...name, result });
      throw error;
    }
  };

const isResting = (why: string): SpeechError =>
  new SpeechError(why, { permanent: false, kind: 'resting' });

interface Breaker {
  readonly policy: CircuitBreakerPolicy;
  /** Null when it would let a request through. */
  resting(): string | null;
  /** How long it lets no request through. */
  restMs(): number;
}

function createBreaker(rest: Rest): Breaker {
  let restsUntil = 0;
  const policy = circuitBreaker(
    handleWhen((error) => {
      if (!(error instanceof SpeechError) || error.permanent) return false;
      // One that said how long to wait is busy, not broken.
      if (error.retryAfterMs !== null || error.kind === 'resting') return false;
      // Otherwise a half-open breaker would count it as a success of the trial request.
      if (error.kind === 'stopped') return policy.state === CircuitState.HalfOpen;
      return true;
    }),
    {
      breaker: new ConsecutiveBreaker(rest.failures),
      halfOpenAfter: new DelegateBackoff(({ attempt }: { attempt: number }) => {
        const restMs = Math.min(rest.mostMs, rest.firstMs * 2 ** (attempt - 1));
        restsUntil = Date.now() + restMs;
        return restMs;
      }),
    },
  );
  const restMs = (): number =>
    policy.state === CircuitState.Open ? Math.max(0, restsUntil - Date.now()) : 0;
  return {
    policy,
    restMs,
    resting: () =>
      restMs() > 0
        ? `keeps failing, and is asked again in ${String(Math.ceil(restMs() / 1000))} s.`
        : null,
  };
}

/** Rejects as soon as the signal is aborted, until `work` says that the request is sent and cannot be undone. */
async function untilSent<Result>(
  signal: AbortSignal,
  work: (onSend: () => void) => Promise<Result>,
): Promise<Result> {
  if (signal.aborted) throw stopped();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(stopped());
    };
    const onSend = (): void => {
      signal.removeEventListener('abort', onAbort);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    void work(onSend).then(resolve, reject).finally(onSend);
  });
}
