import { useEffect, useRef, type ReactElement } from 'react';
import * as m from '../paraglide/messages.js';
import { Button } from '../ui/button.js';
import styles from './keys-help.module.css';

/** Every key of the player. */
export function KeysHelp({ onClose }: { onClose: () => void }): ReactElement {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const rows: readonly (readonly [string, string])[] = [
    [m.key_space(), m.key_does_toggle()],
    ['← →', m.key_does_skip()],
    ['↑ ↓', m.key_does_sentence()],
    ['[ ]', m.key_does_speed()],
    ['S', m.key_does_sleep()],
    ['B', m.player_bookmark()],
    ['F', m.key_does_follow()],
    ['?', m.player_keys()],
  ];
  return (
    <dialog ref={dialog} className={styles.dialog} aria-labelledby="keys" onClose={onClose}>
      <h2 id="keys">{m.player_keys()}</h2>
      <dl className={styles.keys}>
        {rows.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <Button onClick={() => dialog.current?.close()}>{m.player_close_keys()}</Button>
    </dialog>
  );
}
