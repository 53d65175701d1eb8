import type { ReactElement } from 'react';
import { textOf } from '../../api/errors.js';
import type { AudioFailureCode } from '../../gql/graphql.js';
import * as m from '../../paraglide/messages.js';
import { Button } from '../../ui/button.js';
import type { StoryOfPage } from '../story.js';
import styles from './box.module.css';
import { useNarrate } from './use-narrate.js';

const REASONS: Readonly<Record<AudioFailureCode, () => string>> = {
  INTERNAL: m.story_failed_internal,
  NOTHING_TO_SPEAK: m.story_failed_nothing,
  SPEECH_REFUSED: m.story_failed_refused,
  SPEECH_UNAVAILABLE: m.story_failed_unavailable,
  STORAGE: m.story_failed_storage,
};

interface FailedProps {
  readonly story: StoryOfPage;
  readonly voiceId: string;
  readonly audio: StoryOfPage['audio'][number];
}

/** Why it failed, and that it cost nothing. */
export function Failed({ story, voiceId, audio }: FailedProps): ReactElement {
  const { busy, failure, narrate } = useNarrate(story.id, voiceId, story.requiredCredits);
  const reason = REASONS[audio.failureCode ?? 'INTERNAL'] as (() => string) | undefined;
  return (
    <div className={styles.state}>
      <div className={styles.say} role="status">
        <p className={styles.price}>{m.story_failed()}</p>
        <p className={styles.quiet}>{(reason ?? m.story_failed_internal)()}</p>
        {audio.creditsCharged === 0 && <p className={styles.quiet}>{m.story_points_back()}</p>}
        {failure !== null && (
          <p role="alert" className={styles.bad}>
            {textOf(failure)}
          </p>
        )}
      </div>
      <div className={styles.actions}>
        <Button kind="primary" busy={busy} onClick={narrate}>
          {busy ? m.story_asking() : m.frame_retry()}
        </Button>
      </div>
    </div>
  );
}
