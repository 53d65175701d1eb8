import { serverNow } from '../api/clock.js';
import { readStored, writeStored } from '../api/stored.js';
import { isDue, readPosition, type Position } from './logic/position.js';
import type { Sleep } from './logic/sleep.js';
import { nextStart, previousStart, type Sentence } from './logic/timeline.js';
import type { Effect, PlayerEvent, ReportReason } from './machine/events.js';
import { next } from './machine/next.js';
import { INITIAL, type Track } from './machine/state.js';
import { playerPosition as position, playerState } from './state.js';

/** One element for the life of the page: the sound survives every change of the page and of the source. */
const audio = new Audio();
audio.preload = 'auto';

let machine = INITIAL;
let swapTimer: ReturnType<typeof setTimeout> | undefined;

/** Set by the host, which knows the server. */
export const host: {
  /** Asks the server for new addresses. Null when it does not answer. */
  renew: (audioId: string) => Promise<Track | null>;
  /** Keeps a position. */
  report: (audioId: string, position: Position, why: ReportReason) => void;
} = { renew: () => Promise.resolve(null), report: () => undefined };

/** Tells the machine what happened, shows what it became, and does what follows. */
function tell(event: PlayerEvent): void {
  const { machine: changed, effects } = next(machine, event, position.get());
  machine = changed;
  playerState.set(changed.shown);
  for (const effect of effects) perform(effect);
}

export const player = {
  /** Opens a narration. The host then reads what is known of it. */
  open: (audioId: string, { play = false, at = null as number | null } = {}): void =>
    tell({ type: 'open', audioId, play, startMs: at }),
  close: (): void => tell({ type: 'close' }),
  play: (): void => tell({ type: 'play' }),
  pause: (): void => tell({ type: 'pause' }),
  toggle: (): void => {
    if (machine.shown.playing || machine.wantsToPlay) player.pause();
    else player.play();
  },
  /** Goes to a place in the recording, in milliseconds. */
  seek: (ms: number): void => tell({ type: 'seek', ms }),
  skip: (seconds: number): void => player.seek(position.get() + seconds * 1000),
  previousSentence: (): void => player.seek(previousStart(machine.sentences, position.get())),
  nextSentence: (): void => {
    const startMs = nextStart(machine.sentences, position.get());
    if (startMs !== null) player.seek(startMs);
  },
  setRate: (rate: number): void => tell({ type: 'rate', rate }),
  setSleep: (sleep: Sleep | null): void => tell({ type: 'sleep', sleep }),
  /** Answers the question of where to continue. */
  choosePlace: (there: boolean): void => tell({ type: 'choose', there }),
  setSentences: (sentences: readonly Sentence[]): void => tell({ type: 'sentences', sentences }),
  /** Takes what the server says of the open narration. */
  update: (track: Track): void =>
    tell({ type: 'update', track, kept: keptPosition(track.audioId) }),
};

function perform(effect: Effect): void {
  switch (effect.do) {
    case 'load':
      audio.src = effect.address;
      position.set(effect.ms);
      break;
    case 'clear':
      clearTimeout(swapTimer);
      audio.pause();
      audio.removeAttribute('src');
      audio.load();
      position.set(0);
      break;
    case 'start':
      start();
      break;
    case 'stop':
      audio.pause();
      break;
    case 'goTo':
      goTo(effect.ms);
      break;
    case 'rate':
      audio.playbackRate = effect.rate;
      audio.defaultPlaybackRate = effect.rate;
      break;
    case 'volume':
      audio.volume = effect.volume;
      break;
    case 'renew':
      void host
        .renew(effect.audioId)
        .then((track) => tell({ type: 'renewed', audioId: effect.audioId, track, ms: effect.ms }));
      break;
    case 'swapAfter':
      swapTimer = setTimeout(() => {
        followSound();
        tell({ type: 'swap' });
      }, effect.delayMs);
      break;
    case 'report':
      report(effect);
      break;
  }
}

function start(): void {
  audio.play().catch((error: unknown) => {
    // Browsers let a page make sound only after a press, so the listener presses Play.
    if (error instanceof DOMException && error.name === 'NotAllowedError') player.pause();
  });
}

function goTo(ms: number): void {
  const endMs = Number.isFinite(audio.duration) ? audio.duration * 1000 : ms;
  audio.currentTime = Math.max(0, Math.min(ms, endMs)) / 1000;
  position.set(audio.currentTime * 1000);
}

const keptKey = (audioId: string): string => `position.${audioId}`;
const keptPosition = (audioId: string): Position | null =>
  readPosition(readStored(keptKey(audioId)));

function report({ audioId, rate, finished, why }: Effect & { do: 'report' }): void {
  const positionMs = Math.round(position.get());
  const now = { positionMs, finished, rate, at: serverNow().getTime() };
  // A page that is closed later is no later place: another device may have gone on meanwhile.
  const kept = keptPosition(audioId);
  if (kept === null || isDue(kept, now, 'stopped'))
    writeStored(keptKey(audioId), JSON.stringify(now));
  host.report(audioId, now, why);
}

/** The position is shown as the element has it. While a place is being loaded, the element is not there yet. */
function followSound(): void {
  if (audio.readyState > 0 && machine.loadingMs === null) position.set(audio.currentTime * 1000);
}

let frame = 0;
let lastDrawn = 0;
let lastHeard = 0;

/** Draws the position about as often as the screen is drawn, while there is sound. */
function draw(time: number): void {
  frame = 0;
  if (audio.paused) return;
  followSound();
  lastDrawn = time;
  frame = requestAnimationFrame(draw);
}

// A hidden page draws no frames, but its sound continues, and this event still arrives.
audio.addEventListener('timeupdate', () => {
  if (audio.paused || audio.readyState === 0) return;
  const now = performance.now();
  if (now - lastDrawn > 500) followSound();
  const ms = lastHeard === 0 ? 0 : now - lastHeard;
  lastHeard = now;
  tell({ type: 'heard', ms });
});
audio.addEventListener('playing', () => {
  lastHeard = 0;
  tell({ type: 'sounds' });
  if (frame === 0) frame = requestAnimationFrame(draw);
});
audio.addEventListener('pause', () => {
  lastHeard = 0;
  followSound();
  tell({ type: 'halted', atEnd: audio.ended });
});
audio.addEventListener('waiting', () => tell({ type: 'stalled' }));
audio.addEventListener('loadedmetadata', () => {
  const { duration } = audio;
  tell({ type: 'loaded', durationSeconds: Number.isFinite(duration) ? duration : null });
});
audio.addEventListener('ended', () => tell({ type: 'ended' }));
audio.addEventListener('error', () => {
  if (audio.getAttribute('src') !== null) tell({ type: 'broken' });
});
window.addEventListener('online', () => tell({ type: 'online' }));
window.addEventListener('pagehide', () => tell({ type: 'leave' }));
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'hidden') tell({ type: 'leave' });
});
