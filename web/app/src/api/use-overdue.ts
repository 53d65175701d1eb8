import { useEffect } from 'react';
import { useClient } from 'urql';
import { graphql } from '../gql/index.js';
import type { AudioStatus } from '../gql/graphql.js';

const OverdueAudio = graphql(`
  query OverdueAudio($id: ID!) {
    audio(id: $id) {
      ...AudioState
      story {
        id
        currentAudio {
          id
        }
      }
    }
  }
`);

/** A narration that is being made changes more often than this. */
const OVERDUE_MS = 15_000;

/**
 * Queries a narration that is in progress when no event about it has arrived for a while. Events are missed while the
 * server restarts or the device sleeps, and a reconnected stream does not report what was finished in between.
 * @param audio null when there is nothing to wait for
 */
export function useOverdue(
  audio: { readonly id: string; readonly status: AudioStatus; readonly progress: number } | null,
): void {
  const client = useClient();
  const waits = audio?.status === 'QUEUED' || audio?.status === 'PROCESSING';
  const id = waits ? audio.id : null;
  const progress = audio?.progress;
  useEffect(() => {
    if (id === null) return undefined;
    const ask = (): void =>
      void client.query(OverdueAudio, { id }, { requestPolicy: 'network-only' }).toPromise();
    const timer = setInterval(ask, OVERDUE_MS);
    return () => clearInterval(timer);
  }, [client, id, progress]);
}
