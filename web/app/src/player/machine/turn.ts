import type { Effect, ReportReason } from './events.js';
import type { Machine, PlayerState } from './state.js';

/** One event and what follows from it: the machine changes, and effects are collected in their order. */
export interface Turn {
  machine: Machine;
  readonly effects: Effect[];
  /** Where the sound is, in milliseconds. */
  readonly atMs: number;
}

export const change = (turn: Turn, part: Partial<Machine>): void => {
  turn.machine = { ...turn.machine, ...part };
};
export const show = (turn: Turn, part: Partial<PlayerState>): void => {
  change(turn, { shown: { ...turn.machine.shown, ...part } });
};

export function load(
  turn: Turn,
  address: string,
  source: 'stream' | 'recording',
  ms: number,
): void {
  turn.effects.push({ do: 'load', address, ms });
  show(turn, { source, failed: false, waiting: turn.machine.wantsToPlay });
  change(turn, { loadingMs: source === 'recording' ? ms : null });
  if (source === 'recording') return;
  turn.effects.push({ do: 'rate', rate: turn.machine.shown.rate });
  start(turn);
}

export function start(turn: Turn): void {
  const { wantsToPlay, shown } = turn.machine;
  if (!wantsToPlay || shown.source === 'none' || shown.elsewhere !== null) return;
  turn.effects.push({ do: 'start' });
}

/** A stream has no places, so only the place in a recording is reported. */
export function report(turn: Turn, why: ReportReason): void {
  const { shown, track } = turn.machine;
  const { audioId, source, rate, ended: finished } = shown;
  if (audioId === null || track === null || source !== 'recording') return;
  turn.effects.push({ do: 'report', audioId, rate, finished, why });
}
