import { readStored, writeStored } from '../api/stored.js';
import { clampRate } from './logic/keys.js';
import { isDue, later, readPosition, resume, type Position } from './logic/position.js';
import { passTime, volumeOf, type Sleep } from './logic/sleep.js';
import { endOfSentence, nextStart, previousStart, type Sentence } from './logic/timeline.js';
import { serverNow } from '../api/clock.js';
import {
  CLOSED,
  playerPosition as position,
  playerState as state,
  type PlayerState,
  type Track,
} from './state.js';

/** How often in a row a new address is requested when one does not work. */
const RECOVERIES = 3;
/** After this time of sound the count begins again. */
const RECOVERED_MS = 10_000;

const change = (part: Partial<PlayerState>): void => state.set({ ...state.get(), ...part });

/** One element for the life of the page: the sound survives every change of the page and of the source. */
const audio = new Audio();
audio.preload = 'auto';

let track: Track | null = null;
let sentences: readonly Sentence[] = [];
let wantsToPlay = false;
let opened = { playFirst: false, startAt: null as number | null, begun: false };
let recoveries = 0;
let soundSince = 0;
let lastTick = 0;

/** Set by the host, which knows the server. */
export const host: {
  /** Asks the server for new addresses. Null when it does not answer. */
  renew: (audioId: string) => Promise<Track | null>;
  /** Keeps a position. */
  report: (audioId: string, position: Position, why: 'playing' | 'stopped' | 'leaving') => void;
} = { renew: () => Promise.resolve(null), report: () => undefined };

export const player = {
  /** Opens a narration. The host then reads what is known of it. */
  open: (audioId: string, { play = false, at = null as number | null } = {}): void => {
    if (state.get().audioId === audioId) {
      if (at !== null) player.seek(at);
      if (play) player.play();
      return;
    }
    player.close();
    opened = { playFirst: play, startAt: at, begun: false };
    wantsToPlay = play;
    change({ ...CLOSED, audioId, sleep: state.get().sleep, waiting: play });
  },

  close: (): void => {
    report('stopped');
    wantsToPlay = false;
    track = null;
    sentences = [];
    recoveries = 0;
    audio.pause();
    audio.removeAttribute('src');
    audio.load();
    position.set(0);
    state.set({ ...CLOSED, sleep: state.get().sleep });
  },

  play: (): void => {
    wantsToPlay = true;
    if (state.get().ended) audio.currentTime = 0;
    const { failed } = state.get();
    change({ waiting: true, ended: false, failed: false });
    recoveries = 0;
    if (failed) void recover();
    else start();
  },

  pause: (): void => {
    wantsToPlay = false;
    audio.pause();
    change({ waiting: false });
  },

  toggle: (): void => {
    if (state.get().playing || wantsToPlay) player.pause();
    else player.play();
  },

  /** Goes to a place in the recording, in milliseconds. A stream cannot go anywhere. */
  seek: (ms: number): void => {
    const { source } = state.get();
    if (source !== 'recording') {
      // The recording may be there already, and only waits for the end of a sentence.
      if (source === 'stream' && track?.url != null) load(track.url, 'recording', Math.max(0, ms));
      else opened.startAt = ms;
      return;
    }
    const end = Number.isFinite(audio.duration) ? audio.duration : ms / 1000;
    audio.currentTime = Math.max(0, Math.min(ms / 1000, end));
    position.set(audio.currentTime * 1000);
    change({ ended: false });
    report('stopped');
  },

  skip: (seconds: number): void => {
    player.seek(position.get() + seconds * 1000);
  },

  previousSentence: (): void => {
    player.seek(previousStart(sentences, position.get()));
  },

  nextSentence: (): void => {
    const next = nextStart(sentences, position.get());
    if (next !== null) player.seek(next);
  },

  setRate: (wanted: number): void => {
    const rate = clampRate(wanted);
    audio.playbackRate = rate;
    audio.defaultPlaybackRate = rate;
    change({ rate });
    if (track !== null) report('stopped');
  },

  setSleep: (sleep: Sleep | null): void => {
    change({ sleep });
    audio.volume = volumeOf(sleep);
  },

  /** Answers the question where to go on. */
  choosePlace: (there: boolean): void => {
    const { elsewhere } = state.get();
    change({ elsewhere: null });
    if (there && elsewhere !== null) {
      player.setRate(elsewhere.rate);
      player.seek(elsewhere.positionMs);
    }
    if (opened.playFirst) player.play();
  },

  setSentences: (known: readonly Sentence[]): void => {
    sentences = known;
  },

  /** Takes what the server says of the open narration. */
  update: (next: Track): void => {
    if (next.audioId !== state.get().audioId) return;
    const before = track;
    track = next;
    if (next.durationSeconds !== null) change({ durationSeconds: next.durationSeconds });
    change({ seekable: next.url !== null });
    // The page of the story says what happened to the narration, and there is nothing to play.
    if (next.status === 'FAILED' || next.status === 'CANCELLED') player.close();
    else if (before === null) begin(next);
    else if (state.get().source === 'stream' && next.url !== null) swapSoon();
    else if (state.get().source === 'none') begin(next);
  },
};

function begin(known: Track): void {
  if (known.url === null && known.streamUrl === null) return;
  const here = readPosition(readStored(`position.${known.audioId}`));
  const place = resume(here, known.listening);
  const from = place.kind === 'start' ? place.from : place.here;
  const rate = later(here, known.listening)?.rate ?? 1;
  audio.playbackRate = rate;
  audio.defaultPlaybackRate = rate;
  const asks = place.kind === 'ask' && opened.startAt === null;
  change({ rate, elsewhere: asks ? place.there : null });
  if (asks) wantsToPlay = false;
  const startMs = opened.startAt ?? from.positionMs;
  opened.startAt = null;
  if (known.url === null) load(known.streamUrl ?? '', 'stream', 0);
  else load(known.url, 'recording', startMs);
}

// A connection that is back may be all that was missing.
window.addEventListener('online', () => {
  if (!state.get().failed) return;
  recoveries = 0;
  void recover();
});

function load(address: string, source: 'stream' | 'recording', ms: number): void {
  audio.src = address;
  position.set(ms);
  change({ source, failed: false, waiting: wantsToPlay });
  const { rate, ended } = state.get();
  const onReady = (): void => {
    if (ms > 0) audio.currentTime = ms / 1000;
    audio.playbackRate = rate;
    if (ended) report('stopped');
    start();
  };
  if (source === 'stream') onReady();
  else audio.addEventListener('loadedmetadata', onReady, { once: true });
}

function start(): void {
  if (!wantsToPlay || state.get().source === 'none' || state.get().elsewhere !== null) return;
  audio.play().catch((error: unknown) => {
    // Browsers let a page make sound only after a press, so the listener presses Play.
    if (error instanceof DOMException && error.name === 'NotAllowedError') player.pause();
  });
}

/** The recording replaces the stream at the end of a sentence, because the change is not heard there. */
let swapping: ReturnType<typeof setTimeout> | null = null;
function swapSoon(): void {
  if (swapping !== null) return;
  const end = wantsToPlay ? endOfSentence(sentences, audio.currentTime * 1000) : null;
  const wait = end === null ? 0 : Math.max(0, end - audio.currentTime * 1000) / audio.playbackRate;
  swapping = setTimeout(
    () => {
      swapping = null;
      if (state.get().source === 'stream' && track?.url != null)
        load(track.url, 'recording', position.get());
    },
    Math.min(wait, 15_000),
  );
}

/** Goes on from the same place with a new address, because addresses expire while a listener pauses. */
async function recover(): Promise<void> {
  if (track === null) return;
  const { audioId } = track;
  if (recoveries >= RECOVERIES) {
    fail();
    return;
  }
  recoveries += 1;
  const ms = position.get();
  change({ waiting: wantsToPlay });
  const renewed = await host.renew(audioId);
  if (state.get().audioId !== audioId) return;
  if (renewed?.url == null) {
    fail();
    return;
  }
  track = renewed;
  load(renewed.url, 'recording', ms);
}

function fail(): void {
  audio.pause();
  change({ failed: true, playing: false, waiting: false });
}

function report(why: 'playing' | 'stopped' | 'leaving'): void {
  const { audioId, source, rate, ended } = state.get();
  if (audioId === null || track === null || source !== 'recording') return;
  const now = {
    positionMs: Math.round(position.get()),
    finished: ended,
    rate,
    at: serverNow().getTime(),
  };
  // A page that is closed later is no later place: another device may have gone on meanwhile.
  const kept = readPosition(readStored(`position.${audioId}`));
  if (kept === null || isDue(kept, now, 'stopped'))
    writeStored(`position.${audioId}`, JSON.stringify(now));
  host.report(audioId, now, why);
}

let frame = 0;

/** Draws the position about as often as the screen is drawn, while there is sound. */
function tick(time: number): void {
  frame = 0;
  if (audio.paused) return;
  position.set(audio.currentTime * 1000);
  if (soundSince === 0) soundSince = time;
  if (time - soundSince > RECOVERED_MS) recoveries = 0;
  lastTick = time;
  frame = requestAnimationFrame(tick);
}

/** Pages that are not shown draw nothing, but sound goes on there: this event comes in any case. */
let lastPassed = 0;
audio.addEventListener('timeupdate', () => {
  if (audio.paused || audio.readyState === 0) return;
  const now = performance.now();
  if (now - lastTick > 500) position.set(audio.currentTime * 1000);
  const heard = lastPassed === 0 ? 0 : now - lastPassed;
  lastPassed = now;
  passSleep(heard);
  report('playing');
});

function passSleep(heardMs: number): void {
  const { sleep } = state.get();
  if (sleep === null) return;
  const left = passTime(sleep, heardMs);
  audio.volume = volumeOf(left);
  if (left !== sleep) change({ sleep: left });
  if (left !== null) return;
  player.pause();
  audio.volume = 1;
}

audio.addEventListener('playing', () => {
  soundSince = 0;
  lastPassed = 0;
  change({ playing: true, waiting: false, ended: false });
  if (frame === 0) frame = requestAnimationFrame(tick);
});
audio.addEventListener('pause', () => {
  lastPassed = 0;
  if (audio.readyState > 0) position.set(audio.currentTime * 1000);
  change({ playing: false });
  if (!audio.ended) report('stopped');
});
audio.addEventListener('waiting', () => change({ waiting: wantsToPlay }));
audio.addEventListener('loadedmetadata', () => {
  if (Number.isFinite(audio.duration)) change({ durationSeconds: audio.duration });
});
audio.addEventListener('ended', () => {
  // A stream ends when all of it was sent. What follows is the recording, which says the length.
  wantsToPlay = false;
  const atEnd = state.get().sleep?.kind === 'end';
  change({ playing: false, waiting: false, ended: true, ...(atEnd ? { sleep: null } : {}) });
  report('stopped');
});
audio.addEventListener('error', () => {
  if (audio.getAttribute('src') === null || track === null) return;
  change({ playing: false });
  // A stream cannot begin in the middle. The recording goes on from here when it is made.
  if (state.get().source === 'stream') change({ waiting: wantsToPlay });
  else void recover();
});
window.addEventListener('pagehide', () => report('leaving'));
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'hidden') report('leaving');
});
