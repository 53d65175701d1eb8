import { useRef, useState } from 'react';
import { useMutation } from 'urql';
import { failureOf, type Failure } from '../../api/errors.js';
import { player } from '../../player/player.js';
import { Narrate } from '../queries.js';

export interface Narration {
  /** The request is on its way. */
  readonly busy: boolean;
  readonly failure: Failure | null;
  readonly narrate: () => void;
}

/** Requests a narration for at most the price that the listener has seen, and opens it in the player. */
export function useNarrate(storyId: string, voiceId: string, price: number | null): Narration {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [, send] = useMutation(Narrate);
  // A repeated press after a lost answer is the same request.
  const key = useRef<string | null>(null);
  const narrate = async (): Promise<void> => {
    setBusy(true);
    setFailure(null);
    key.current ??= newKey();
    const input = {
      storyId,
      voiceId,
      idempotencyKey: key.current,
      ...(price === null ? {} : { maxCredits: price }),
    };
    const { data, error } = await send({ input });
    const why = failureOf(error);
    if (why?.code !== 'OFFLINE') key.current = null;
    setFailure(why);
    const audio = data?.synthesizeAudio.audio;
    // The box then shows the narration. Until it does, a second press must not request another one.
    if (why === null && audio !== undefined) player.open(audio.id, { play: true });
    else setBusy(false);
  };
  return { busy, failure, narrate: () => void narrate() };
}

/** `randomUUID` exists only on secure pages, and a server in the house may have no certificate. */
const newKey = (): string =>
  [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('');
