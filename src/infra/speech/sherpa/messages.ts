/** The kinds of models that the engine loads, with its own names. */
export type ModelKind = 'vits' | 'matcha' | 'kokoro' | 'kitten' | 'pocket' | 'supertonic';

/** What the engine is given to load a model. */
export interface EngineConfig {
  readonly kind: ModelKind;
  /** The engine's names of the parts, with absolute paths. `lang` is a language instead. */
  readonly parts: Readonly<Record<string, string>>;
  /** Rules for numbers and dates that belong to the model. Absolute paths, separated by commas. */
  readonly ruleFsts: string;
  readonly threads: number;
}

/** A request to the speaking process. All requests to one process have the same `config`. */
export interface SherpaQuestion {
  readonly config: EngineConfig;
  readonly text: string;
  /** The number of the speaker in the model, from 0. */
  readonly speaker: number;
  /** 1 is the model's own. */
  readonly speed: number;
  /** A recording whose voice is imitated, for models that need one. */
  readonly reference: string | null;
  /** Further options of the engine for this sentence. */
  readonly extra: Readonly<Record<string, number | string>>;
  /** Longer speech is refused. */
  readonly mostSeconds: number;
  /** A process that takes more is ended. */
  readonly mostBytes: number;
}

export type SherpaFailure = 'NOT_INSTALLED' | 'BROKEN_MODEL' | 'SILENT' | 'TOO_LONG';

/** What it answers. */
export type SherpaAnswer = {
  /** The process has grown too large and must be replaced. */
  readonly retiring?: boolean;
} & (
  | { readonly pcm: Int16Array<ArrayBuffer>; readonly sampleRateHz: number }
  | { readonly failure: SherpaFailure }
);

/** The settings of the thread that watches the process while the engine blocks it. */
export interface WatchOrder {
  readonly mostBytes: number;
  /** The process that has started this one. */
  readonly parent: number;
}
