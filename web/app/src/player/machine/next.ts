import type { Effect, PlayerEvent } from './events.js';
import { choosePlace, close, open, pause, play, seek, setRate, setSleep } from './listener.js';
import { swap, update } from './narration.js';
import { renewed, tryAnew } from './recovery.js';
import { broken, ended, halted, heard, loaded } from './sound.js';
import type { Machine } from './state.js';
import { change, report, show, type Turn } from './turn.js';

/**
 * What follows from one event. The function is pure: it neither touches the element nor asks the server. The effects
 * that it returns do both.
 * @param atMs where the sound is, in milliseconds
 */
export function next(
  machine: Machine,
  event: PlayerEvent,
  atMs: number,
): { readonly machine: Machine; readonly effects: readonly Effect[] } {
  const turn: Turn = { machine, effects: [], atMs };
  take(turn, event);
  return { machine: turn.machine, effects: turn.effects };
}

function take(turn: Turn, event: PlayerEvent): void {
  switch (event.type) {
    // What the listener does.
    case 'open':
      open(turn, event.audioId, event);
      break;
    case 'close':
      close(turn);
      break;
    case 'play':
      play(turn);
      break;
    case 'pause':
      pause(turn);
      break;
    case 'seek':
      seek(turn, event.ms);
      break;
    case 'rate':
      setRate(turn, event.rate);
      break;
    case 'sleep':
      setSleep(turn, event.sleep);
      break;
    case 'choose':
      choosePlace(turn, event.there);
      break;
    case 'leave':
      report(turn, 'leaving');
      break;
    // What the server says.
    case 'sentences':
      change(turn, { sentences: event.sentences });
      break;
    case 'update':
      update(turn, event.track, event.kept);
      break;
    case 'renewed':
      renewed(turn, event);
      break;
    case 'online':
      tryAnew(turn);
      break;
    // What the element and the clock say.
    case 'loaded':
      loaded(turn, event.durationSeconds);
      break;
    case 'sounds':
      change(turn, { soundMs: 0 });
      show(turn, { playing: true, waiting: false, ended: false });
      break;
    case 'heard':
      heard(turn, event.ms);
      break;
    case 'stalled':
      show(turn, { waiting: turn.machine.wantsToPlay });
      break;
    case 'halted':
      halted(turn, event.atEnd);
      break;
    case 'ended':
      ended(turn);
      break;
    case 'broken':
      broken(turn);
      break;
    case 'swap':
      swap(turn);
      break;
  }
}
