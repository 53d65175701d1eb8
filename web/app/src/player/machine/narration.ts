import { later, resume, type Position } from '../logic/position.js';
import { endOfSentence } from '../logic/timeline.js';
import { close } from './listener.js';
import type { Track } from './state.js';
import { change, load, show, type Turn } from './turn.js';

/** The stream gives way to the recording after this time, even in the middle of a long sentence. */
export const SWAP_DELAY_MAX_MS = 15_000;

/** Takes what the server says of the open narration. */
export function update(turn: Turn, track: Track, kept: Position | null): void {
  const { shown, track: before } = turn.machine;
  if (track.audioId !== shown.audioId) return;
  change(turn, { track });
  const durationSeconds = track.durationSeconds ?? shown.durationSeconds;
  show(turn, { durationSeconds, seekable: track.url !== null });
  // There is nothing to play, and the page of the story says what happened to the narration.
  if (track.status === 'FAILED' || track.status === 'CANCELLED') close(turn);
  else if (before === null || shown.source === 'none') begin(turn, track, kept);
  else if (shown.source === 'stream' && track.url !== null) swapSoon(turn);
}

/** @param kept the place that this device has kept */
function begin(turn: Turn, track: Track, kept: Position | null): void {
  if (track.url === null && track.streamUrl === null) return;
  const place = resume(kept, track.listening);
  const rate = later(kept, track.listening)?.rate ?? 1;
  turn.effects.push({ do: 'rate', rate });
  const asks = place.kind === 'ask' && turn.machine.startMs === null;
  show(turn, { rate, elsewhere: asks ? place.there : null });
  if (asks) change(turn, { wantsToPlay: false });
  const from = place.kind === 'start' ? place.from : place.here;
  const startMs = turn.machine.startMs ?? from.positionMs;
  change(turn, { startMs: null });
  if (track.url === null) load(turn, track.streamUrl ?? '', 'stream', 0);
  else load(turn, track.url, 'recording', startMs);
}

/** The recording replaces the stream at the end of a sentence, because the change is not heard there. */
function swapSoon(turn: Turn): void {
  const { swapIsDue, wantsToPlay, startMs, sentences, shown } = turn.machine;
  if (swapIsDue) return;
  const endMs = wantsToPlay && startMs === null ? endOfSentence(sentences, turn.atMs) : null;
  const delayMs = endMs === null ? 0 : Math.max(0, endMs - turn.atMs) / shown.rate;
  change(turn, { swapIsDue: true });
  turn.effects.push({ do: 'swapAfter', delayMs: Math.min(delayMs, SWAP_DELAY_MAX_MS) });
}

export function swap(turn: Turn): void {
  change(turn, { swapIsDue: false });
  const { shown, track, startMs } = turn.machine;
  if (shown.source !== 'stream' || track?.url == null) return;
  change(turn, { startMs: null });
  load(turn, track.url, 'recording', startMs ?? turn.atMs);
}
