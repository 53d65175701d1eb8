import { Trash2 } from 'lucide-react';
import type { ReactElement } from 'react';
import { useClient, useMutation } from 'urql';
import * as m from '../paraglide/messages.js';
import type { OpenAudio } from '../player/open-audio.js';
import { player } from '../player/player.js';
import { PlayerAudio, RemoveBookmark } from '../player/queries.js';
import { formatClock } from '../ui/format.js';
import { IconButton } from '../ui/icon-button.js';
import styles from './bookmarks.module.css';

/** The places that were marked, with the words that are spoken there. */
export function Bookmarks({ audio }: { audio: OpenAudio }): ReactElement | null {
  const client = useClient();
  const [, remove] = useMutation(RemoveBookmark);
  if (audio.bookmarks.length === 0) return null;
  const onRemove = async (id: string): Promise<void> => {
    await remove({ id });
    client
      .query(PlayerAudio, { id: audio.id }, { requestPolicy: 'network-only' })
      .subscribe(() => undefined);
  };
  return (
    <section className={styles.bookmarks} aria-labelledby="bookmarks">
      <h2 id="bookmarks">{m.player_bookmarks()}</h2>
      <ul>
        {audio.bookmarks.map(({ id, positionMs, note }) => (
          <li key={id} className={styles.bookmark}>
            <button type="button" className={styles.go} onClick={() => player.seek(positionMs)}>
              <span className="figures">{formatClock(positionMs / 1000)}</span> {note}
            </button>
            <IconButton
              icon={Trash2}
              name={m.player_remove_bookmark({ time: formatClock(positionMs / 1000) })}
              onClick={() => void onRemove(id)}
            />
          </li>
        ))}
      </ul>
    </section>
  );
}
