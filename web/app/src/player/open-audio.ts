import { useEffect } from 'react';
import type { Client } from '@urql/core';
import { useClient, useQuery } from 'urql';
import { sameOrigin } from '../api/addresses.js';
import { createStore, useStore } from '../api/store.js';
import type { PlayerAudioQuery } from '../gql/graphql.js';
import type { Position } from './logic/position.js';
import type { Sentence } from './logic/timeline.js';
import type { Track } from './machine/state.js';
import { usePlayer } from './state.js';
import { AudioSentences, PlayerAudio } from './queries.js';

export type OpenAudio = NonNullable<PlayerAudioQuery['audio']>;

/** The narration that is open in the player, as the cache has it. */
export function useOpenAudio(): { audio: OpenAudio | null; fresh: boolean } {
  const { audioId } = usePlayer();
  const [{ data, stale, error }] = useQuery({
    query: PlayerAudio,
    variables: { id: audioId ?? '' },
    pause: audioId === null,
  });
  const audio = data?.audio?.id === audioId ? data.audio : null;
  // What was kept has an address that has expired. It is used only when the server does not answer.
  return { audio, fresh: !stale || error !== undefined };
}

export const trackOf = (audio: OpenAudio): Track => ({
  audioId: audio.id,
  status: audio.status,
  url: audio.url == null ? null : sameOrigin(audio.url),
  // Before the first sentence there is nothing to hear, and the narration may fail at once.
  streamUrl: audio.streamUrl == null || audio.progress === 0 ? null : sameOrigin(audio.streamUrl),
  durationSeconds: audio.durationSeconds ?? null,
  listening: positionOf(audio),
});

function positionOf({ listening }: OpenAudio): Position | null {
  if (listening == null) return null;
  const { positionMs, finished, rate, updatedAt } = listening;
  return { positionMs, finished, rate, at: Date.parse(updatedAt) };
}

/** What is known of when the sentences of a narration are spoken. */
interface Timeline {
  readonly sentences: readonly Sentence[];
  readonly complete: boolean;
}

const NONE: readonly Sentence[] = [];
const timelines = createStore<ReadonlyMap<string, Timeline>>(new Map());
const reading = new Set<string>();
const again = new Map<string, boolean>();

/** When each sentence is spoken. It grows while the narration is being made. */
export function useSentences(audio: OpenAudio | null): readonly Sentence[] {
  const client = useClient();
  const known = useStore(timelines);
  const id = audio?.id ?? '';
  const [ready, progress] = [audio?.status === 'READY', audio?.progress ?? 0];
  useEffect(() => {
    const isComplete = timelines.get().get(id)?.complete === true;
    if (id !== '' && progress > 0 && !isComplete) void readSentences(client, id, ready);
  }, [client, id, ready, progress]);
  return known.get(id)?.sentences ?? NONE;
}

/** Reads the sentences that are not known yet, as many as there are. */
async function readSentences(client: Client, id: string, ready: boolean): Promise<void> {
  // What is being read may lack the newest sentences: then it is read once more.
  if (reading.has(id)) {
    again.set(id, ready);
    return;
  }
  reading.add(id);
  try {
    for (;;) {
      const { sentences } = timelines.get().get(id) ?? { sentences: NONE };
      const answer = client.query(
        AudioSentences,
        { id, after: sentences.length - 1 },
        { requestPolicy: 'network-only' },
      );
      const { data, error } = await answer.toPromise();
      if (error !== undefined) return;
      const more = data?.audio?.sentences ?? [];
      const complete = ready && more.length === 0;
      const next = { sentences: [...sentences, ...more], complete };
      timelines.set(new Map(timelines.get()).set(id, next));
      if (more.length === 0) return;
    }
  } finally {
    reading.delete(id);
    const wanted = again.get(id);
    again.delete(id);
    if (wanted !== undefined) void readSentences(client, id, wanted);
  }
}
