import { useCallback, useSyncExternalStore } from 'react';
import { sentenceAt, wordAt, type Sentence, type Word } from '../player/logic/timeline.js';
import { playerPosition } from '../player/state.js';

/** The sentence that is spoken. A component is drawn anew when it changes, and not with each moment. */
export function useActiveSentence(sentences: readonly Sentence[]): number {
  const read = useCallback(() => sentenceAt(sentences, playerPosition.get()), [sentences]);
  return useSyncExternalStore(playerPosition.follow, read);
}

export function useActiveWord(sentence: Sentence | undefined): Word | undefined {
  const read = useCallback(() => wordAt(sentence, playerPosition.get()), [sentence]);
  return sentence?.words?.[useSyncExternalStore(playerPosition.follow, read)];
}
