import type { Position } from '../logic/position.js';
import type { Sleep } from '../logic/sleep.js';
import type { Track } from './state.js';
import type { Sentence } from '../logic/timeline.js';

/** The events of the player. Places and times are in milliseconds. */
export type PlayerEvent =
  // By the listener.
  | {
      readonly type: 'open';
      readonly audioId: string;
      readonly play: boolean;
      readonly startMs: number | null;
    }
  | { readonly type: 'close' | 'play' | 'pause' | 'leave' }
  | { readonly type: 'seek'; readonly ms: number }
  | { readonly type: 'rate'; readonly rate: number }
  | { readonly type: 'sleep'; readonly sleep: Sleep | null }
  | { readonly type: 'choose'; readonly there: boolean }
  // By the server. `kept` is the place that this device has kept.
  | { readonly type: 'sentences'; readonly sentences: readonly Sentence[] }
  | { readonly type: 'update'; readonly track: Track; readonly kept: Position | null }
  | {
      readonly type: 'renewed';
      readonly audioId: string;
      readonly track: Track | null;
      readonly ms: number;
    }
  | { readonly type: 'online' }
  // By the element that makes the sound, and by the clock.
  | { readonly type: 'loaded'; readonly durationSeconds: number | null }
  | { readonly type: 'sounds' | 'stalled' | 'ended' | 'broken' | 'swap' }
  | { readonly type: 'heard'; readonly ms: number }
  | { readonly type: 'halted'; readonly atEnd: boolean };

export type ReportReason = 'playing' | 'stopped' | 'leaving';

/** What the player does, in this order. */
export type Effect =
  /** Gives the element a new address. `ms` is the place that it will go to. */
  | { readonly do: 'load'; readonly address: string; readonly ms: number }
  /** Takes the address away from the element. */
  | { readonly do: 'clear' | 'start' | 'stop' }
  | { readonly do: 'goTo'; readonly ms: number }
  | { readonly do: 'rate'; readonly rate: number }
  /** From 0 to 1. */
  | { readonly do: 'volume'; readonly volume: number }
  /** Asks the server for new addresses. `renewed` is the answer, with the same place. */
  | { readonly do: 'renew'; readonly audioId: string; readonly ms: number }
  /** Sends `swap` after this time. */
  | { readonly do: 'swapAfter'; readonly delayMs: number }
  /** Keeps the place on this device and on the server. */
  | {
      readonly do: 'report';
      readonly audioId: string;
      readonly rate: number;
      readonly finished: boolean;
      readonly why: ReportReason;
    };
