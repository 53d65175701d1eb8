import { useEffect, useState, type RefObject } from 'react';

/** The page follows the narrator until the listener scrolls. */
export interface Following {
  readonly following: boolean;
  readonly setFollowing: (following: boolean) => void;
}

const SCROLLING_KEYS: ReadonlySet<string> = new Set(['PageUp', 'PageDown', 'Home', 'End']);

/** Keeps the spoken sentence in sight. */
export function useFollowing(
  text: RefObject<HTMLElement | null>,
  active: number,
  enabled: boolean,
): Following {
  const [following, setFollowing] = useState(true);
  useEffect(() => {
    if (!enabled) return undefined;
    const stop = (): void => setFollowing(false);
    const onKey = ({ key }: KeyboardEvent): void => {
      if (SCROLLING_KEYS.has(key)) stop();
    };
    window.addEventListener('wheel', stop, { passive: true });
    window.addEventListener('touchmove', stop, { passive: true });
    window.addEventListener('keydown', onKey);
    return () => {
      window.removeEventListener('wheel', stop);
      window.removeEventListener('touchmove', stop);
      window.removeEventListener('keydown', onKey);
    };
  }, [enabled]);
  useEffect(() => {
    if (enabled && following) show(text.current, active);
  }, [text, active, enabled, following]);
  return { following, setFollowing };
}

function show(text: HTMLElement | null, sentence: number): void {
  const element = text?.querySelector(`[data-sentence="${sentence}"]`);
  if (element == null) return;
  const { top, bottom } = element.getBoundingClientRect();
  // The upper half of the window, below the bar: there the next sentences can be seen, too.
  if (top > 80 && bottom < window.innerHeight * 0.6) return;
  const smooth = !matchMedia('(prefers-reduced-motion: reduce)').matches;
  element.scrollIntoView({ block: 'center', behavior: smooth ? 'smooth' : 'instant' });
}
