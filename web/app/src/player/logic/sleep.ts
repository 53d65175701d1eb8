/** The timer that stops the sound for a listener who falls asleep. It counts only while the story is heard. */
export type Sleep =
  | { readonly kind: 'after'; readonly minutes: number; readonly leftMs: number }
  | { readonly kind: 'end' };

export const SLEEP_MINUTES = [10, 20, 30] as const;

/** The sound grows quiet within this time. */
export const FADE_MS = 10_000;

export const sleepAfter = (minutes: number): Sleep => ({
  kind: 'after',
  minutes,
  leftMs: minutes * 60_000,
});

export const sleepAtEnd: Sleep = { kind: 'end' };

/** The timer after this time of listening. Null when it is over. */
export function passTime(sleep: Sleep, heardMs: number): Sleep | null {
  if (sleep.kind === 'end') return sleep;
  const leftMs = sleep.leftMs - heardMs;
  return leftMs <= 0 ? null : { ...sleep, leftMs };
}

/** How loud it is, 0 to 1. The end of a story needs no fading: it ends by itself, and nothing else begins. */
export function volumeOf(sleep: Sleep | null): number {
  if (sleep?.kind !== 'after' || sleep.leftMs >= FADE_MS) return 1;
  return Math.max(0, sleep.leftMs / FADE_MS);
}

/** The timer of a choice that was kept: “10”, “20”, “30” or “end”. */
export function sleepOf(choice: string): Sleep | null {
  if (choice === 'end') return sleepAtEnd;
  const minutes = SLEEP_MINUTES.find((known) => String(known) === choice);
  return minutes === undefined ? null : sleepAfter(minutes);
}

export const choiceOf = (sleep: Sleep | null): string => {
  if (sleep === null) return 'off';
  return sleep.kind === 'end' ? 'end' : String(sleep.minutes);
};
