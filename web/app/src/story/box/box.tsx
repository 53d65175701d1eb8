import { lazy, Suspense, useState, type ReactElement } from 'react';
import { useQuery } from 'urql';
import { useSession } from '../../session/state.js';
import { readStored, writeStored } from '../../api/stored.js';
import * as m from '../../paraglide/messages.js';
import { nameOfVoice } from '../../ui/format.js';
import { Select } from '../../ui/select.js';
import { StoryVoices } from '../queries.js';
import type { StoryOfPage } from '../story.js';
import styles from './box.module.css';
import { Making } from './making.js';
import { Offer } from './offer.js';
import { Ready } from './ready.js';
import { Sample } from './sample.js';
import { SignedOut } from './signed-out.js';

/** Loaded later, because few narrations fail. */
const Failed = lazy(async () => ({ default: (await import('./failed.js')).Failed }));

type MyAudio = StoryOfPage['audio'][number];

/** What stands between the title and the text: the way to hear the story. It has one height in all states. */
export function Box({ story }: { story: StoryOfPage }): ReactElement {
  const { person } = useSession();
  const [{ data }] = useQuery({ query: StoryVoices, variables: { language: story.language } });
  const [chosen, setChosen] = useState<string | null>(null);
  const voices = data?.voices ?? [];
  const usual = usualVoice(story, voices);
  const voiceId = chosen ?? usual;
  const audio = newestOf(story, voiceId);
  const sampleUrl = voices.find(({ id }) => id === voiceId)?.sampleUrl;
  const choose = (id: string): void => {
    writeStored(`voice.${story.language}`, id);
    setChosen(id);
  };
  return (
    <section className={styles.box} aria-label={m.story_box()}>
      {person === null ? (
        <SignedOut points={data?.settings.welcomePoints ?? null} slug={story.slug} />
      ) : (
        <>
          <div className={styles.voice}>
            <Select
              label={m.story_voice()}
              value={voiceId}
              options={voices.map((voice) => ({ value: voice.id, name: nameOfVoice(voice) }))}
              onChange={choose}
              disabled={voices.length === 0}
            />
            {sampleUrl != null && <Sample url={sampleUrl} />}
          </div>
          <State story={story} voiceId={voiceId} audio={audio} />
        </>
      )}
    </section>
  );
}

interface StateProps {
  readonly story: StoryOfPage;
  readonly voiceId: string;
  readonly audio: MyAudio | undefined;
}

function State({ story, voiceId, audio }: StateProps): ReactElement {
  if (audio?.status === 'READY' && !audio.outdated) return <Ready audio={audio} />;
  if (audio?.status === 'QUEUED' || audio?.status === 'PROCESSING') return <Making audio={audio} />;
  if (audio?.status === 'FAILED')
    return (
      <Suspense>
        <Failed key={audio.id} story={story} voiceId={voiceId} audio={audio} />
      </Suspense>
    );
  // A narration that was cancelled leaves an offer that is not busy.
  return <Offer key={`${voiceId} ${String(story.audio.length)}`} story={story} voiceId={voiceId} />;
}

const newestOf = (story: StoryOfPage, voiceId: string): MyAudio | undefined =>
  story.audio
    .filter(({ voice, status }) => voice.id === voiceId && status !== 'CANCELLED')
    .toSorted((one, other) => other.createdAt.localeCompare(one.createdAt))[0];

/** The voice of my narration, or the one that I chose last for this language. */
function usualVoice(story: StoryOfPage, voices: readonly { id: string }[]): string {
  const own = story.audio.find(({ id }) => id === story.currentAudio?.id)?.voice.id;
  const last = readStored(`voice.${story.language}`);
  return own ?? voices.find(({ id }) => id === last)?.id ?? voices[0]?.id ?? '';
}
