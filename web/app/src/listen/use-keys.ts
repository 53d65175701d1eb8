import { useEffect } from 'react';
import { readStored, writeStored } from '../api/stored.js';
import { commandOf, RATES, type Command } from '../player/logic/keys.js';
import { choiceOf, SLEEP_MINUTES, sleepOf } from '../player/logic/sleep.js';
import { player } from '../player/player.js';
import { playerState } from '../player/state.js';
import { SKIP } from './controls.js';
import { useAddBookmark } from './use-add-bookmark.js';

interface Keys {
  readonly audioId: string;
  readonly onFollow: () => void;
  readonly onHelp: () => void;
}

/** The keys of the full player. */
export function useKeys({ audioId, onFollow, onHelp }: Keys): void {
  const addBookmark = useAddBookmark(audioId);
  useEffect(() => {
    const rate = (steps: number): void =>
      player.setRate(playerState.get().rate + steps * RATES.step);
    const actions: Readonly<Record<Command, () => void>> = {
      toggle: player.toggle,
      back: () => player.skip(-SKIP),
      forward: () => player.skip(SKIP),
      previous: player.previousSentence,
      next: player.nextSentence,
      slower: () => rate(-1),
      faster: () => rate(1),
      sleep: nextSleep,
      follow: onFollow,
      bookmark: () => void addBookmark(),
      help: onHelp,
    };
    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || document.querySelector('dialog[open]') !== null) return;
      const on = event.target instanceof Element ? event.target.tagName.toLowerCase() : '';
      const command = commandOf({
        key: event.key,
        ctrlKey: event.ctrlKey,
        metaKey: event.metaKey,
        altKey: event.altKey,
        on,
      });
      if (command === null) return;
      event.preventDefault();
      actions[command]();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  });
}

/** The first press takes the choice of last time, and each further press the next one. */
function nextSleep(): void {
  const choices = ['off', ...SLEEP_MINUTES.map(String), 'end'];
  const now = choiceOf(playerState.get().sleep);
  const last = readStored('sleep');
  const next =
    now === 'off' && last !== null && last !== 'off'
      ? last
      : (choices[(choices.indexOf(now) + 1) % choices.length] ?? 'off');
  writeStored('sleep', next);
  player.setSleep(sleepOf(next));
}
