import { ChevronLeft } from 'lucide-react';
import { useEffect, useRef, useState, type ReactElement } from 'react';
import { useQuery } from 'urql';
import { Link, useLocation } from 'wouter';
import { useSession } from '../session/state.js';
import { Cover } from '../cover/cover.js';
import { Loading } from '../frame/loading.js';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { JumpOrStay } from '../player/jump-or-stay.js';
import { useOpenAudio, useSentences, type OpenAudio } from '../player/open-audio.js';
import { player } from '../player/player.js';
import { usePlayer } from '../player/state.js';
import { useActiveSentence } from '../read-along/active.js';
import { BackToNarrator } from '../read-along/back-to-narrator.js';
import { useFollowing } from '../read-along/follow.js';
import { StoryText } from '../read-along/text.js';
import { TextMenu } from '../reading/text-menu.js';
import { StoryPage } from '../story/queries.js';
import { nameOfVoice } from '../ui/format.js';
import { useTitle } from '../ui/title.js';
import { Bookmarks } from './bookmarks.js';
import { Controls } from './controls.js';
import { KeysHelp } from './keys-help.js';
import styles from './listen.module.css';
import { useKeys } from './use-keys.js';

const PLAYABLE: ReadonlySet<string> = new Set(['QUEUED', 'PROCESSING', 'READY']);

/** The full player: the spoken sentence large, and everything that steers it. */
export function Listen({ slug }: { slug: string }): ReactElement {
  const { person } = useSession();
  const [, navigate] = useLocation();
  const { audio } = useOpenAudio();
  const [{ data, error }] = useQuery({ query: StoryPage, variables: { slug } });
  const open = audio?.story.slug === slug ? audio : null;
  const current = data?.story?.currentAudio;
  useEffect(() => {
    if (open !== null) return;
    if (current != null && PLAYABLE.has(current.status)) player.open(current.id);
    // Without a narration there is nothing to hear: the page of the story offers one.
    else if (data !== undefined || error !== undefined || person === null)
      navigate(paths.story(slug), { replace: true });
  }, [open, current, data, error, person, slug, navigate]);
  return open === null ? <Loading /> : <FullPlayer audio={open} />;
}

function FullPlayer({ audio }: { audio: OpenAudio }): ReactElement {
  const { story } = audio;
  useTitle(story.title);
  const text = useRef<HTMLDivElement>(null);
  const sentences = useSentences(audio);
  const active = useActiveSentence(sentences);
  const { following, setFollowing } = useFollowing(text, active, sentences.length > 0);
  const [helps, setHelps] = useState(false);
  const { elsewhere, failed } = usePlayer();
  useKeys({ audioId: audio.id, onFollow: () => setFollowing(true), onHelp: () => setHelps(true) });
  return (
    <article className={styles.listen}>
      <header className={styles.head}>
        <Link
          href={paths.story(story.slug)}
          className={styles.back}
          aria-label={m.player_back_to_story()}
        >
          <ChevronLeft size={24} strokeWidth={1.75} aria-hidden />
        </Link>
        <div className={styles.cover}>
          <Cover small story={story} />
        </div>
        <div className={styles.about}>
          <h1 className={styles.title} lang={story.language}>
            {story.title}
          </h1>
          <p className={styles.voice}>{nameOfVoice(audio.voice)}</p>
        </div>
        <TextMenu />
      </header>
      {elsewhere !== null && <JumpOrStay audio={audio} elsewhere={elsewhere} />}
      {failed && (
        <p role="alert" className={styles.failed}>
          {m.player_failed_long()}
        </p>
      )}
      <div ref={text} className={styles.text}>
        <StoryText content={audio.content} language={story.language} sentences={sentences} large />
      </div>
      {!following && sentences.length > 0 && <BackToNarrator onPress={() => setFollowing(true)} />}
      <Bookmarks audio={audio} />
      <Controls audio={audio} onHelp={() => setHelps(true)} />
      {helps && <KeysHelp onClose={() => setHelps(false)} />}
    </article>
  );
}
