import { passTime } from '../logic/sleep.js';
import { pause, setSleep } from './listener.js';
import { recover } from './recovery.js';
import { change, report, show, start, type Turn } from './turn.js';

/** After this much sound, the count of recoveries starts again from zero. */
export const RECOVERED_MS = 10_000;

/** The element knows how long the sound is, so that it can go to a place. A stream has no known length: null. */
export function loaded(turn: Turn, durationSeconds: number | null): void {
  if (durationSeconds !== null) show(turn, { durationSeconds });
  const { loadingMs } = turn.machine;
  if (loadingMs === null) return;
  change(turn, { loadingMs: null });
  const { rate, ended: wasAtEnd } = turn.machine.shown;
  if (loadingMs > 0) turn.effects.push({ do: 'goTo', ms: loadingMs });
  turn.effects.push({ do: 'rate', rate });
  // The stream was heard to its end. Only now is there a recording whose place can be reported.
  if (wasAtEnd) report(turn, 'stopped');
  start(turn);
}

export function heard(turn: Turn, ms: number): void {
  const soundMs = turn.machine.soundMs + ms;
  change(turn, { soundMs });
  if (soundMs > RECOVERED_MS) change(turn, { recoveries: 0 });
  passSleep(turn, ms);
  report(turn, 'playing');
}

function passSleep(turn: Turn, ms: number): void {
  const { sleep } = turn.machine.shown;
  if (sleep === null) return;
  const left = passTime(sleep, ms);
  if (left !== sleep) setSleep(turn, left);
  if (left === null) pause(turn);
}

export function halted(turn: Turn, atEnd: boolean): void {
  show(turn, { playing: false });
  if (!atEnd) report(turn, 'stopped');
}

/** A stream ends when all of it was sent. The recording follows, and it says the length. */
export function ended(turn: Turn): void {
  const { sleep } = turn.machine.shown;
  change(turn, { wantsToPlay: false });
  show(turn, {
    playing: false,
    waiting: false,
    ended: true,
    sleep: sleep?.kind === 'end' ? null : sleep,
  });
  report(turn, 'stopped');
}

export function broken(turn: Turn): void {
  if (turn.machine.track === null) return;
  show(turn, { playing: false });
  // A stream cannot begin in the middle. The recording continues from here when it is complete.
  if (turn.machine.shown.source === 'stream') show(turn, { waiting: turn.machine.wantsToPlay });
  else recover(turn);
}
