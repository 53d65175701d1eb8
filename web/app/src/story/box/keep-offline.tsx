import { useEffect, useState, type ReactElement } from 'react';
import { canKeep, drop, isKept, keep } from '../../offline/kept.js';
import * as m from '../../paraglide/messages.js';
import styles from './keep-offline.module.css';

type State = 'unknown' | 'no' | 'keeping' | 'yes' | 'failed';

interface KeepOfflineProps {
  readonly audio: { readonly id: string; readonly url?: string | null };
}

/** Keeps the recording on this device, to hear it without a connection. */
export function KeepOffline({ audio }: KeepOfflineProps): ReactElement | null {
  const [state, setState] = useState<State>('unknown');
  const { id, url } = audio;
  useEffect(() => {
    if (url == null || !canKeep()) return;
    isKept(url).then(
      (kept) => setState(kept ? 'yes' : 'no'),
      () => setState('no'),
    );
    // The address changes with each signature, and the recording does not.
  }, [id]);
  if (url == null || !canKeep()) return null;
  const change = async (wanted: boolean): Promise<void> => {
    setState(wanted ? 'keeping' : 'no');
    try {
      await (wanted ? keep(url) : drop(url));
      setState(wanted ? 'yes' : 'no');
    } catch {
      setState('failed');
    }
  };
  return (
    <label className={styles.keep}>
      <input
        type="checkbox"
        checked={state === 'yes' || state === 'keeping'}
        disabled={state === 'unknown' || state === 'keeping'}
        onChange={({ target }) => void change(target.checked)}
      />
      <span>{state === 'failed' ? m.story_keep_failed() : m.story_keep()}</span>
    </label>
  );
}
