import { clampRate } from '../logic/keys.js';
import { volumeOf, type Sleep } from '../logic/sleep.js';
import { recover } from './recovery.js';
import { CLOSED, INITIAL } from './state.js';
import { change, load, report, show, start, type Turn } from './turn.js';

export function open(
  turn: Turn,
  audioId: string,
  { play: plays, startMs }: { readonly play: boolean; readonly startMs: number | null },
): void {
  if (turn.machine.shown.audioId === audioId) {
    if (startMs !== null) seek(turn, startMs);
    if (plays) play(turn);
    return;
  }
  close(turn);
  change(turn, { playFirst: plays, wantsToPlay: plays, startMs });
  show(turn, { audioId, waiting: plays });
}

/** The timer continues for the next narration, because the listener has not set it for one story. */
export function close(turn: Turn): void {
  report(turn, 'stopped');
  const { sleep } = turn.machine.shown;
  turn.machine = { ...INITIAL, shown: { ...CLOSED, sleep } };
  turn.effects.push({ do: 'clear' });
}

export function play(turn: Turn): void {
  const { ended: wasAtEnd, failed } = turn.machine.shown;
  change(turn, { wantsToPlay: true, recoveries: 0 });
  if (wasAtEnd) turn.effects.push({ do: 'goTo', ms: 0 });
  show(turn, { waiting: true, ended: false, failed: false });
  if (failed) recover(turn);
  else start(turn);
}

export function pause(turn: Turn): void {
  change(turn, { wantsToPlay: false });
  show(turn, { waiting: false });
  turn.effects.push({ do: 'stop' });
}

/** Goes to a place in the recording. A stream cannot go anywhere, so the place waits for the recording. */
export function seek(turn: Turn, ms: number): void {
  const { track, loadingMs, shown } = turn.machine;
  const { source } = shown;
  const url = track?.url ?? null;
  if (source === 'recording') {
    if (loadingMs !== null) change(turn, { loadingMs: Math.max(0, ms) });
    turn.effects.push({ do: 'goTo', ms });
    show(turn, { ended: false });
    report(turn, 'stopped');
  } else if (source === 'stream' && url !== null) {
    // The recording already exists, and only waits for the end of a sentence.
    load(turn, url, 'recording', Math.max(0, ms));
  } else {
    change(turn, { startMs: ms });
  }
}

export function setRate(turn: Turn, wanted: number): void {
  const rate = clampRate(wanted);
  turn.effects.push({ do: 'rate', rate });
  show(turn, { rate });
  report(turn, 'stopped');
}

export function setSleep(turn: Turn, sleep: Sleep | null): void {
  show(turn, { sleep });
  turn.effects.push({ do: 'volume', volume: volumeOf(sleep) });
}

/** Answers the question of where to continue. */
export function choosePlace(turn: Turn, there: boolean): void {
  const { elsewhere } = turn.machine.shown;
  show(turn, { elsewhere: null });
  if (there && elsewhere !== null) {
    setRate(turn, elsewhere.rate);
    seek(turn, elsewhere.positionMs);
  }
  if (turn.machine.playFirst) play(turn);
}
