import { createStore, useStore } from '../api/store.js';
import type { Position } from './logic/position.js';
import type { Sleep } from './logic/sleep.js';

/** What the player needs to know of a narration. Events bring it anew as the narration is made. */
export interface Track {
  readonly audioId: string;
  readonly status: 'QUEUED' | 'PROCESSING' | 'READY' | 'FAILED' | 'CANCELLED';
  readonly url: string | null;
  readonly streamUrl: string | null;
  readonly durationSeconds: number | null;
  /** How far it was heard, as the server knows. */
  readonly listening: Position | null;
}

export interface PlayerState {
  /** The narration that is open, or null. */
  readonly audioId: string | null;
  readonly playing: boolean;
  /** Wants to play, and waits for sound. */
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

export const playerState = createStore<PlayerState>(CLOSED);
/** In milliseconds. It changes often, so that only what shows it follows it. */
export const playerPosition = createStore(0);

export const usePlayer = (): PlayerState => useStore(playerState);
export const usePosition = (): number => useStore(playerPosition);
