import { useMutation } from 'urql';
import { playerPosition } from '../player/state.js';
import { AddBookmark } from '../player/queries.js';

/** Marks the present place. */
export function useAddBookmark(audioId: string): () => Promise<void> {
  const [, add] = useMutation(AddBookmark);
  return async () => {
    await add({ audioId, positionMs: Math.round(playerPosition.get()) });
  };
}
