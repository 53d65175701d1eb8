import type { SpeechConfig } from '../../config.js';
import type { Logger } from '../log.js';
import type { Metrics } from '../metrics.js';
import { createEspeakProvider } from './espeak.js';
import { guardProvider, type BareProvider } from './guard.js';
import { createElevenLabsProvider } from './http/elevenlabs.js';
import { createOpenAiProvider } from './http/openai.js';
import { SPEECH_ERROR_KINDS, type SpeechProvider } from './provider.js';
import { createSherpaProvider } from './sherpa/sherpa.js';

/**
 * The provider that the configuration selects, with its guard. It gets no request yet.
 * @throws StartError where it is not installed
 */
export const openSpeech = (
  config: SpeechConfig,
  { log, metrics }: { log: Logger; metrics: Metrics },
): SpeechProvider => {
  const provider = createProvider(config, log);
  // A rate does not see the first value of a counter, so that all of them begin at 0.
  for (const result of ['ok', ...SPEECH_ERROR_KINDS])
    metrics.speechRequests.inc({ provider: provider.name, result }, 0);
  return guardProvider(provider, { concurrency: config.concurrency, metrics });
};

function createProvider(config: SpeechConfig, log: Logger): BareProvider {
  switch (config.provider) {
    case 'espeak':
      return createEspeakProvider({
        processes: config.concurrency,
        timeoutMs: config.timeoutMs,
        log,
      });
    case 'openai':
      return createOpenAiProvider(config);
    case 'elevenlabs':
      return createElevenLabsProvider(config);
    case 'sherpa':
      return createSherpaProvider({ ...config, log });
  }
}
