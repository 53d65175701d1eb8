import type { Position } from '../logic/position.js';
import type { Sleep } from '../logic/sleep.js';
import type { Sentence } from '../logic/timeline.js';

/** What the player needs to know of a narration. Events update it while the narration is being made. */
export interface Track {
  readonly audioId: string;
  readonly status: 'QUEUED' | 'PROCESSING' | 'READY' | 'FAILED' | 'CANCELLED';
  readonly url: string | null;
  readonly streamUrl: string | null;
  readonly durationSeconds: number | null;
  /** How far it was heard, as the server knows. */
  readonly listening: Position | null;
}

/** What the pages show of the player. */
export interface PlayerState {
  /** The narration that is open, or null. */
  readonly audioId: string | null;
  readonly playing: boolean;
  /** The listener wants to play, and there is no sound yet. */
  readonly waiting: boolean;
  readonly source: 'none' | 'stream' | 'recording';
  readonly durationSeconds: number | null;
  /** Whether there is a recording, in which every place can be heard. */
  readonly seekable: boolean;
  readonly rate: number;
  readonly sleep: Sleep | null;
  /** The place on another device, while the listener chooses. */
  readonly elsewhere: Position | null;
  readonly ended: boolean;
  readonly failed: boolean;
}

export const CLOSED: PlayerState = {
  audioId: null,
  playing: false,
  waiting: false,
  source: 'none',
  durationSeconds: null,
  seekable: false,
  rate: 1,
  sleep: null,
  elsewhere: null,
  ended: false,
  failed: false,
};

/** The whole state of the player. The pages see `shown` only. */
export interface Machine {
  readonly shown: PlayerState;
  /** What the server says of the open narration. Null until it has answered. */
  readonly track: Track | null;
  readonly sentences: readonly Sentence[];
  /** What the listener wants. The element may still be waiting for sound. */
  readonly wantsToPlay: boolean;
  /** Whether the narration was opened to be played, which a question about the place only delays. */
  readonly playFirst: boolean;
  /** The place to begin at when the recording is there, in milliseconds. Null means the last known place. */
  readonly startMs: number | null;
  /** The place to go to when the element knows the recording's length. Null when it is not loading a recording. */
  readonly loadingMs: number | null;
  readonly swapIsDue: boolean;
  readonly recoveries: number;
  /** Sound since the element last began to play. */
  readonly soundMs: number;
}

export const INITIAL: Machine = {
  shown: CLOSED,
  track: null,
  sentences: [],
  wantsToPlay: false,
  playFirst: false,
  startMs: null,
  loadingMs: null,
  swapIsDue: false,
  recoveries: 0,
  soundMs: 0,
};
