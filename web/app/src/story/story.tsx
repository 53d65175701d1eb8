import { Heart } from 'lucide-react';
import { useRef, type ReactElement } from 'react';
import { useMutation, useQuery } from 'urql';
import { failureOf, textOf } from '../api/errors.js';
import { useSession } from '../session/state.js';
import { Cover } from '../cover/cover.js';
import { Loading } from '../frame/loading.js';
import { Missing } from '../frame/missing.js';
import type { StoryPageQuery } from '../gql/graphql.js';
import * as m from '../paraglide/messages.js';
import { paths } from '../paths.js';
import { useOpenAudio, useSentences } from '../player/open-audio.js';
import { useActiveSentence } from '../read-along/active.js';
import { BackToNarrator } from '../read-along/back-to-narrator.js';
import { useFollowing } from '../read-along/follow.js';
import { StoryText } from '../read-along/text.js';
import { TextMenu } from '../reading/text-menu.js';
import { formatMinutes, nameOfLanguage } from '../ui/format.js';
import { IconButton } from '../ui/icon-button.js';
import { Notice } from '../ui/notice.js';
import { useTitle } from '../ui/title.js';
import { Box } from './box/box.js';
import { SetFavourite, StoryPage } from './queries.js';
import { secondsOf } from './seconds.js';
import styles from './story.module.css';

export type StoryOfPage = NonNullable<StoryPageQuery['story']>;

/** A story to read, and to have read to you. */
export function Story({ slug }: { slug: string }): ReactElement {
  const [{ data, error, fetching }, again] = useQuery({ query: StoryPage, variables: { slug } });
  const story = data?.story;
  useTitle(story?.title ?? '');
  if (story != null) return <Page story={story} />;
  if (fetching) return <Loading />;
  // Without a connection, a story that was never opened has neither an answer nor an error.
  const failure = failureOf(error) ?? { code: 'OFFLINE' as const, details: {} };
  if (failure.code === 'NOT_FOUND') return <Missing />;
  return (
    <Notice
      title={m.frame_broken_title()}
      text={textOf(failure)}
      link={{ href: paths.library, name: m.frame_to_library() }}
      action={{ name: m.frame_retry(), run: () => again({ requestPolicy: 'network-only' }) }}
    />
  );
}

function Page({ story }: { story: StoryOfPage }): ReactElement {
  const text = useRef<HTMLDivElement>(null);
  const { audio } = useOpenAudio();
  const open = audio?.story.id === story.id ? audio : null;
  const sentences = useSentences(open);
  const active = useActiveSentence(sentences);
  const { following, setFollowing } = useFollowing(text, active, open !== null && active >= 0);
  return (
    <article className={styles.story}>
      <div className={styles.cover}>
        <Cover story={story} />
      </div>
      <div className={styles.about}>
        <header className={styles.head}>
          <h1 lang={story.language}>{story.title}</h1>
          <p className={`figures ${styles.facts ?? ''}`}>
            {story.author} · {nameOfLanguage(story.language)} · {formatMinutes(secondsOf(story))}
          </p>
          <div className={styles.tools}>
            <Favourite story={story} />
            <TextMenu />
          </div>
        </header>
        <Box story={story} />
        {open?.outdated === true && <p className={styles.outdated}>{m.story_outdated()}</p>}
        <div ref={text}>
          <StoryText
            content={open?.content ?? story.content}
            language={story.language}
            sentences={sentences}
          />
        </div>
        {active >= 0 && !following && <BackToNarrator onPress={() => setFollowing(true)} />}
      </div>
    </article>
  );
}

function Favourite({ story }: { story: StoryOfPage }): ReactElement | null {
  const { person } = useSession();
  const [, send] = useMutation(SetFavourite);
  if (person === null) return null;
  const favourite = !story.favourite;
  return (
    <IconButton
      icon={Heart}
      name={m.story_favourite()}
      aria-pressed={story.favourite}
      onClick={() => void send({ storyId: story.id, favourite })}
    />
  );
}
