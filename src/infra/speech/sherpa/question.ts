import { join } from 'node:path';
import { mostSecondsOf } from '../../../domain/speakable.js';
import type { Model } from './catalog.js';
import type { EngineConfig, SherpaQuestion } from './messages.js';
import type { ModelSpeaker } from './speakers.js';

interface QuestionOptions {
  /** For each speaking process. */
  readonly threads: number;
  /** 1 is the model's own. */
  readonly speed: number;
  /** For each speaking process. */
  readonly memoryBytes: number;
}

/** The question about a sentence, for the provider and for the command that tries a voice. */
export function questionFor(
  { model, speaker }: { readonly model: Model; readonly speaker: ModelSpeaker },
  text: string,
  options: QuestionOptions,
): SherpaQuestion {
  return {
    config: configOf(model, speaker, options.threads),
    text,
    speaker: speaker.number,
    speed: options.speed,
    reference: speaker.reference === null ? null : join(model.path, speaker.reference),
    extra: speaker.extra,
    mostSeconds: mostSecondsOf(text) / options.speed,
    mostBytes: options.memoryBytes,
  };
}

function configOf(
  { path, parts: { kind, parts }, rules }: Model,
  speaker: ModelSpeaker,
  threads: number,
): EngineConfig {
  const inFolder = (names: string): string =>
    names
      .split(',')
      .map((name) => join(path, name))
      .join(',');
  const located = Object.fromEntries(
    Object.entries(parts).map(([part, names]) => [part, inFolder(names)]),
  );
  // Kokoro's rules are those of Chinese, and its other voices would read numbers in it.
  const isRuled = kind !== 'kokoro' || speaker.languages.includes('zh');
  return {
    kind,
    parts: { ...located, ...speaker.parts },
    ruleFsts: isRuled && rules.length > 0 ? inFolder(rules.join(',')) : '',
    threads,
  };
}
