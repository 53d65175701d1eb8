import {
  Bookmark,
  Keyboard,
  Pause,
  Play,
  RotateCcw,
  RotateCw,
  SkipBack,
  SkipForward,
} from 'lucide-react';
import type { ReactElement } from 'react';
import * as m from '../paraglide/messages.js';
import { RATES } from '../player/logic/keys.js';
import { choiceOf, SLEEP_MINUTES, sleepOf } from '../player/logic/sleep.js';
import type { OpenAudio } from '../player/open-audio.js';
import { player } from '../player/player.js';
import { usePlayer, usePosition } from '../player/state.js';
import { writeStored } from '../api/stored.js';
import { formatClock, formatNumber, sayClock } from '../ui/format.js';
import { IconButton } from '../ui/icon-button.js';
import { Select } from '../ui/select.js';
import styles from './controls.module.css';
import { useAddBookmark } from './use-add-bookmark.js';

/** A skip in seconds. */
export const SKIP = 15;

export function Controls({
  audio,
  onHelp,
}: {
  audio: OpenAudio;
  onHelp: () => void;
}): ReactElement {
  const { seekable } = usePlayer();
  const addBookmark = useAddBookmark(audio.id);
  const fixed = !seekable;
  return (
    <section className={styles.controls} aria-label={m.player_name()}>
      <Seek />
      <Buttons fixed={fixed} />
      <div className={styles.settings}>
        <Rate />
        <Sleep />
        <IconButton
          icon={Bookmark}
          name={m.player_bookmark()}
          disabled={fixed}
          onClick={() => void addBookmark()}
        />
        <IconButton
          icon={Keyboard}
          name={m.player_keys()}
          className={styles.keys ?? ''}
          onClick={onHelp}
        />
      </div>
    </section>
  );
}

function Buttons({ fixed }: { fixed: boolean }): ReactElement {
  const { playing, waiting } = usePlayer();
  const active = playing || waiting;
  return (
    <div className={styles.buttons}>
      <IconButton
        icon={SkipBack}
        size={24}
        name={m.player_previous()}
        disabled={fixed}
        onClick={player.previousSentence}
      />
      <IconButton
        icon={RotateCcw}
        size={24}
        name={m.player_back({ seconds: SKIP })}
        disabled={fixed}
        onClick={() => player.skip(-SKIP)}
      />
      <button
        type="button"
        className={styles.play}
        aria-label={active ? m.player_pause() : m.player_play()}
        aria-busy={waiting}
        onClick={player.toggle}
      >
        {active ? (
          <Pause size={24} strokeWidth={1.75} aria-hidden />
        ) : (
          <Play size={24} strokeWidth={1.75} aria-hidden />
        )}
      </button>
      <IconButton
        icon={RotateCw}
        size={24}
        name={m.player_forward({ seconds: SKIP })}
        disabled={fixed}
        onClick={() => player.skip(SKIP)}
      />
      <IconButton
        icon={SkipForward}
        size={24}
        name={m.player_next()}
        disabled={fixed}
        onClick={player.nextSentence}
      />
    </div>
  );
}

function Seek(): ReactElement {
  const { durationSeconds, rate, seekable } = usePlayer();
  const seconds = usePosition() / 1000;
  const known = durationSeconds !== null && seekable;
  const left = known ? Math.max(0, durationSeconds - seconds) / rate : null;
  return (
    <div className={styles.seek}>
      <span className={`figures ${styles.time ?? ''}`}>{formatClock(seconds)}</span>
      <input
        type="range"
        className={styles.range}
        min={0}
        max={Math.ceil(durationSeconds ?? 1)}
        step={1}
        value={known ? Math.floor(seconds) : 0}
        disabled={!known}
        aria-label={m.player_place()}
        aria-valuetext={
          known
            ? m.player_place_of({ time: sayClock(seconds), all: sayClock(durationSeconds) })
            : m.player_being_made()
        }
        onChange={({ target }) => player.seek(Number(target.value) * 1000)}
      />
      <span className={`figures ${styles.time ?? ''}`}>
        {left === null ? m.player_being_made() : `−${formatClock(left)}`}
      </span>
    </div>
  );
}

function Rate(): ReactElement {
  const { rate } = usePlayer();
  const steps = Math.round((RATES.greatest - RATES.least) / RATES.step);
  const rates = Array.from({ length: steps + 1 }, (_, step) => RATES.least + step * RATES.step);
  const options = rates.map((value) => ({
    value: value.toFixed(2),
    name: `${formatNumber(Math.round(value * 100) / 100)}×`,
  }));
  return (
    <Select
      label={m.player_speed()}
      value={rate.toFixed(2)}
      options={options}
      onChange={(value) => player.setRate(Number(value))}
    />
  );
}

function Sleep(): ReactElement {
  const { sleep } = usePlayer();
  const left = sleep?.kind === 'after' ? Math.ceil(sleep.leftMs / 60_000) : 0;
  const options = [
    { value: 'off', name: m.player_sleep_off() },
    ...SLEEP_MINUTES.map((minutes) => ({
      value: String(minutes),
      name:
        sleep?.kind === 'after' && sleep.minutes === minutes
          ? m.player_sleep_left({ minutes: formatNumber(left) })
          : m.player_sleep_after({ minutes: formatNumber(minutes) }),
    })),
    { value: 'end', name: m.player_sleep_end() },
  ];
  return (
    <Select
      label={m.player_sleep()}
      value={choiceOf(sleep)}
      options={options}
      onChange={(choice) => {
        writeStored('sleep', choice);
        player.setSleep(sleepOf(choice));
      }}
    />
  );
}
