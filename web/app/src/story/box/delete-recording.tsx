import { Trash2 } from 'lucide-react';
import { useId, useRef, useState, type ReactElement } from 'react';
import { useMutation } from 'urql';
import { failureOf, type Failure } from '../../api/errors.js';
import { Refusal } from '../../forms/form.js';
import { graphql } from '../../gql/index.js';
import { drop } from '../../offline/kept.js';
import * as m from '../../paraglide/messages.js';
import { player } from '../../player/player.js';
import { usePlayer } from '../../player/state.js';
import { Button } from '../../ui/button.js';
import { IconButton } from '../../ui/icon-button.js';
import styles from '../../ui/dialog.module.css';

const DeleteAudio = graphql(`
  mutation DeleteAudio($id: ID!) {
    deleteAudio(id: $id)
  }
`);

interface DeleteRecordingProps {
  readonly audio: { readonly id: string; readonly url?: string | null };
}

/** Deletes a recording of the listener. It asks first, because the points are not refunded. */
export function DeleteRecording({ audio: { id, url } }: DeleteRecordingProps): ReactElement {
  const title = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const [{ fetching }, remove] = useMutation(DeleteAudio);
  const [failure, setFailure] = useState<Failure | null>(null);
  const { audioId } = usePlayer();
  const confirm = async (): Promise<void> => {
    if (audioId === id) player.close();
    const refused = failureOf((await remove({ id })).error);
    setFailure(refused);
    if (refused !== null) return;
    dialog.current?.close();
    if (url != null) await drop(url).catch(() => undefined);
  };
  return (
    <>
      <IconButton
        icon={Trash2}
        name={m.story_delete()}
        onClick={() => dialog.current?.showModal()}
      />
      <dialog ref={dialog} className={styles.dialog} aria-labelledby={title}>
        <div className={styles.body}>
          <h2 id={title}>{m.story_delete_question()}</h2>
          <p>{m.story_delete_text()}</p>
          <Refusal failure={failure} />
          <div className={styles.actions}>
            <Button kind="danger" busy={fetching} onClick={() => void confirm()}>
              {m.story_delete()}
            </Button>
            <Button onClick={() => dialog.current?.close()}>{m.account_keep()}</Button>
          </div>
        </div>
      </dialog>
    </>
  );
}
