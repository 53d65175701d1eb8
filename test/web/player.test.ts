/** The state machine of the player: what follows from each event. Nothing here needs a browser. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Position } from '../../web/app/src/player/logic/position.js';
import { sleepAfter, sleepAtEnd } from '../../web/app/src/player/logic/sleep.js';
import type { Effect, PlayerEvent } from '../../web/app/src/player/machine/events.js';
import { SWAP_DELAY_MAX_MS } from '../../web/app/src/player/machine/narration.js';
import { next } from '../../web/app/src/player/machine/next.js';
import { RECOVERIES_MAX } from '../../web/app/src/player/machine/recovery.js';
import { RECOVERED_MS } from '../../web/app/src/player/machine/sound.js';
import { INITIAL, type Machine, type Track } from '../../web/app/src/player/machine/state.js';

const URL = 'https://talebank.test/recording.mp3';
const STREAM = 'https://talebank.test/stream.mp3';

const recorded: Track = {
  audioId: 'a',
  status: 'READY',
  url: URL,
  streamUrl: null,
  durationSeconds: 60,
  listening: null,
};
const growing: Track = {
  ...recorded,
  status: 'PROCESSING',
  url: null,
  streamUrl: STREAM,
  durationSeconds: null,
};
const place = (positionMs: number, at: number): Position => ({
  positionMs,
  finished: false,
  rate: 1.25,
  at,
});

const open = (play = false, startMs: number | null = null): PlayerEvent => ({
  type: 'open',
  audioId: 'a',
  play,
  startMs,
});
const update = (track: Track, kept: Position | null = null): PlayerEvent => ({
  type: 'update',
  track,
  kept,
});
const LOADED: PlayerEvent = { type: 'loaded', durationSeconds: 60 };
const SOUNDS: PlayerEvent = { type: 'sounds' };
const BROKEN: PlayerEvent = { type: 'broken' };
const PLAY: PlayerEvent = { type: 'play' };
const renewed = (track: Track | null, ms = 0): PlayerEvent => ({
  type: 'renewed',
  audioId: 'a',
  track,
  ms,
});

/** Runs events one after the other. The effects are those of the last one. */
function run(events: readonly PlayerEvent[], atMs = 0): { machine: Machine; effects: Effect[] } {
  return events.reduce<{ machine: Machine; effects: Effect[] }>(
    ({ machine }, event) => {
      const turn = next(machine, event, atMs);
      return { machine: turn.machine, effects: [...turn.effects] };
    },
    { machine: INITIAL, effects: [] },
  );
}
const did = (effects: readonly Effect[]): string[] => effects.map((effect) => effect.do);

describe('opening', () => {
  test('a recording is loaded at once, and plays when its length is known', () => {
    const loading = run([open(true), update(recorded)]);
    expect(loading.effects).toContainEqual({ do: 'load', address: URL, ms: 0 });
    expect(did(loading.effects)).not.toContain('start');
    expect(loading.machine.shown).toMatchObject({ source: 'recording', waiting: true });
    const { effects, machine } = run([open(true), update(recorded), LOADED, SOUNDS]);
    expect(effects).toEqual([]);
    expect(machine.shown).toMatchObject({ playing: true, waiting: false });
    expect(did(run([open(true), update(recorded), LOADED]).effects)).toEqual(['rate', 'start']);
  });

  test('a recording that is opened without playing stays silent', () => {
    const { effects, machine } = run([open(), update(recorded), LOADED]);
    expect(did(effects)).not.toContain('start');
    expect(machine.shown).toMatchObject({ playing: false, waiting: false, seekable: true });
  });

  test('the recording continues at the place and the speed that this device has stored', () => {
    const { machine, effects } = run([open(true), update(recorded, place(20_000, 5)), LOADED]);
    expect(effects).toContainEqual({ do: 'goTo', ms: 20_000 });
    expect(machine.shown.rate).toBe(1.25);
  });

  test('the listener chooses when another device has a later and different place', () => {
    const track = { ...recorded, listening: place(40_000, 9) };
    const asking = [open(true), update(track, place(5000, 1)), LOADED];
    const asked = run(asking);
    expect(did(asked.effects)).not.toContain('start');
    expect(asked.machine.shown.elsewhere).toMatchObject({ positionMs: 40_000 });
    const jump = run([...asking, { type: 'choose', there: true }]).effects;
    expect(jump).toContainEqual({ do: 'goTo', ms: 40_000 });
    expect(did(jump)).toContain('start');
    const stay = run([...asking, { type: 'choose', there: false }]).effects;
    expect(did(stay)).toEqual(['start']);
  });

  test('a requested place has precedence over every known place, and no question is shown', () => {
    const track = { ...recorded, listening: place(40_000, 9) };
    const { machine, effects } = run([open(true, 7000), update(track, place(5000, 1)), LOADED]);
    expect(machine.shown.elsewhere).toBeNull();
    expect(effects).toContainEqual({ do: 'goTo', ms: 7000 });
  });

  test('a recording begins at the place that is chosen while it loads', () => {
    const events: PlayerEvent[] = [open(true), update(recorded), { type: 'seek', ms: 30_000 }];
    expect(run([...events, LOADED]).effects).toContainEqual({ do: 'goTo', ms: 30_000 });
  });

  test('another narration reports the place of the one before, and keeps the timer', () => {
    const events: PlayerEvent[] = [
      open(true),
      update(recorded),
      LOADED,
      { type: 'sleep', sleep: sleepAtEnd },
      { type: 'open', audioId: 'b', play: true, startMs: null },
    ];
    const { machine, effects } = run(events);
    expect(did(effects)).toEqual(['report', 'clear']);
    expect(effects[0]).toMatchObject({ audioId: 'a', why: 'stopped' });
    expect(machine.shown).toMatchObject({ audioId: 'b', source: 'none', sleep: sleepAtEnd });
  });

  test('a narration that fails is closed', () => {
    const events = [open(true), update(growing), update({ ...growing, status: 'FAILED' })];
    expect(run(events).machine).toEqual(INITIAL);
  });
});

describe('from the stream to the recording', () => {
  const sentences = [
    { from: 0, to: 5, startMs: 0, endMs: 4000 },
    { from: 5, to: 9, startMs: 4000, endMs: 90_000 },
  ];
  const streaming: PlayerEvent[] = [
    open(true),
    update(growing),
    SOUNDS,
    { type: 'sentences', sentences },
  ];

  test('a stream plays before its length is known', () => {
    expect(did(run([open(true), update(growing)]).effects)).toContain('start');
  });

  test('the recording replaces it at the end of the sentence, once', () => {
    const { effects } = run([...streaming, update(recorded)], 1000);
    expect(effects).toEqual([{ do: 'swapAfter', delayMs: 3000 }]);
    expect(run([...streaming, update(recorded), update(recorded)], 1000).effects).toEqual([]);
    const swapped = run([...streaming, update(recorded), { type: 'swap' }], 4000);
    expect(swapped.effects).toEqual([{ do: 'load', address: URL, ms: 4000 }]);
    expect(swapped.machine.shown.source).toBe('recording');
  });

  test('a long sentence delays it for a bounded time', () => {
    const { effects } = run([...streaming, update(recorded)], 5000);
    expect(effects).toEqual([{ do: 'swapAfter', delayMs: SWAP_DELAY_MAX_MS }]);
  });

  test('while the listener pauses, the change happens at once, because it is not heard', () => {
    const { effects } = run([...streaming, { type: 'pause' }, update(recorded)], 1000);
    expect(effects).toEqual([{ do: 'swapAfter', delayMs: 0 }]);
  });

  test('the recording begins at the place that was chosen in the stream', () => {
    const events: PlayerEvent[] = [...streaming, { type: 'seek', ms: 50_000 }, update(recorded)];
    expect(run(events, 1000).effects).toEqual([{ do: 'swapAfter', delayMs: 0 }]);
    const { effects } = run([...events, { type: 'swap' }], 1000);
    expect(effects).toEqual([{ do: 'load', address: URL, ms: 50_000 }]);
  });

  test('a swap that is due for a closed narration changes nothing', () => {
    const events: PlayerEvent[] = [...streaming, update(recorded), { type: 'close' }];
    expect(run([...events, { type: 'swap' }]).effects).toEqual([]);
  });

  test('a stream reports no place, and its end is reported when the recording is there', () => {
    expect(run([...streaming, { type: 'ended' }]).effects).toEqual([]);
    const over: PlayerEvent[] = [...streaming, { type: 'ended' }, update(recorded)];
    const { effects } = run([...over, { type: 'swap' }, LOADED], 60_000);
    expect(effects.at(-1)).toMatchObject({ do: 'report', finished: true, why: 'stopped' });
  });
});

describe('when an address does not work', () => {
  const playing = [open(true), update(recorded), LOADED, SOUNDS];

  test('the player goes on from the same place with a new one', () => {
    expect(run([...playing, BROKEN], 9000).effects).toEqual([
      { do: 'renew', audioId: 'a', ms: 9000 },
    ]);
    const { effects } = run([...playing, BROKEN, renewed(recorded, 9000)]);
    expect(effects).toEqual([{ do: 'load', address: URL, ms: 9000 }]);
  });

  test('it fails after the maximum in a row, and a press on Play starts again', () => {
    const once = [BROKEN, renewed(recorded)];
    const often = Array.from({ length: RECOVERIES_MAX }, () => once).flat();
    const { machine } = run([...playing, ...often, BROKEN]);
    expect(machine.shown).toMatchObject({ failed: true, playing: false, waiting: false });
    expect(did(run([...playing, ...often, BROKEN, PLAY]).effects)).toEqual(['renew']);
    expect(did(run([...playing, ...often, BROKEN, { type: 'online' }]).effects)).toEqual(['renew']);
  });

  test('the count starts again after some time of sound', () => {
    const once = [BROKEN, renewed(recorded), LOADED, SOUNDS];
    const heard: PlayerEvent = { type: 'heard', ms: RECOVERED_MS + 1 };
    const often = Array.from({ length: RECOVERIES_MAX * 3 }, () => [...once, heard]).flat();
    expect(run([...playing, ...often, BROKEN]).machine.shown.failed).toBe(false);
  });

  test('a server that does not answer is a failure', () => {
    expect(run([...playing, BROKEN, renewed(null)]).machine.shown.failed).toBe(true);
  });

  test('an answer for a narration that is not open any more is ignored', () => {
    const { effects, machine } = run([...playing, BROKEN, { type: 'close' }, renewed(recorded)]);
    expect(effects).toEqual([]);
    expect(machine).toEqual(INITIAL);
  });
});

describe('the timer', () => {
  const playing = [open(true), update(recorded), LOADED, SOUNDS];

  test('it stops the sound when its time is heard, and the sound is loud again afterwards', () => {
    const sleep = sleepAfter(10);
    const { machine, effects } = run([
      ...playing,
      { type: 'sleep', sleep },
      { type: 'heard', ms: 600_000 },
    ]);
    expect(effects.slice(0, 2)).toEqual([{ do: 'volume', volume: 1 }, { do: 'stop' }]);
    expect(machine.shown.sleep).toBeNull();
    expect(machine.wantsToPlay).toBe(false);
  });

  test('one that waits for the end of the story ends there', () => {
    const events: PlayerEvent[] = [{ type: 'sleep', sleep: sleepAtEnd }, { type: 'ended' }];
    expect(run([...playing, ...events]).machine.shown.sleep).toBeNull();
  });
});

test('in any order of events, sound begins only when it is wanted, and addresses are renewed a bounded number of times', () => {
  const events = fc.oneof(
    fc.constantFrom<PlayerEvent>(
      open(true),
      open(false),
      { type: 'open', audioId: 'b', play: true, startMs: 4000 },
      PLAY,
      { type: 'pause' },
      { type: 'close' },
      { type: 'leave' },
      { type: 'seek', ms: 9000 },
      { type: 'rate', rate: 9 },
      { type: 'choose', there: true },
      { type: 'choose', there: false },
      update(growing),
      update(recorded),
      update({ ...recorded, listening: place(50_000, 9) }, place(1000, 1)),
      update({ ...growing, status: 'CANCELLED', streamUrl: null }),
      renewed(recorded),
      renewed(null),
      LOADED,
      SOUNDS,
      BROKEN,
      { type: 'heard', ms: 250 },
      { type: 'stalled' },
      { type: 'halted', atEnd: false },
      { type: 'ended' },
      { type: 'swap' },
    ),
  );
  fc.assert(
    fc.property(fc.array(events, { maxLength: 60 }), (list) => {
      let machine = INITIAL;
      for (const event of list) {
        const before = machine;
        const turn = next(machine, event, 1234);
        ({ machine } = turn);
        const { shown } = machine;
        expect(machine.recoveries).toBeLessThanOrEqual(RECOVERIES_MAX);
        expect(shown.rate).toBeGreaterThanOrEqual(0.75);
        expect(shown.rate).toBeLessThanOrEqual(2);
        if (shown.audioId === null) expect(machine.track).toBeNull();
        for (const effect of turn.effects) {
          if (effect.do === 'start')
            expect([machine.wantsToPlay, shown.elsewhere]).toEqual([true, null]);
          if (effect.do === 'report')
            expect([before.shown.audioId, shown.audioId]).toContain(effect.audioId);
        }
        const silent = turn.effects.every((effect) => effect.do !== 'renew');
        if (!silent) expect(machine.recoveries).toBeGreaterThan(0);
      }
    }),
  );
});
