import type { Track } from './state.js';
import { change, load, show, type Turn } from './turn.js';

/** How many new addresses are requested in a row when an address does not work. */
export const RECOVERIES_MAX = 3;

/** Continues from the same place with a new address, because addresses expire while a listener pauses. */
export function recover(turn: Turn): void {
  const { track, recoveries, wantsToPlay } = turn.machine;
  if (track === null) return;
  if (recoveries >= RECOVERIES_MAX) {
    fail(turn);
    return;
  }
  change(turn, { recoveries: recoveries + 1 });
  show(turn, { waiting: wantsToPlay });
  turn.effects.push({ do: 'renew', audioId: track.audioId, ms: turn.atMs });
}

export function renewed(
  turn: Turn,
  { audioId, track, ms }: { readonly audioId: string; readonly track: Track | null; ms: number },
): void {
  if (turn.machine.shown.audioId !== audioId) return;
  if (track?.url == null) {
    fail(turn);
    return;
  }
  change(turn, { track });
  load(turn, track.url, 'recording', ms);
}

/** The lost connection may have been the only cause, so playing is tried again. */
export function tryAnew(turn: Turn): void {
  if (!turn.machine.shown.failed) return;
  change(turn, { recoveries: 0 });
  recover(turn);
}

function fail(turn: Turn): void {
  turn.effects.push({ do: 'stop' });
  show(turn, { failed: true, playing: false, waiting: false });
}
