/** How long a narration of the story takes: exactly where there is one. */
export const secondsOf = (story: {
  readonly expectedSeconds: number;
  readonly currentAudio?: { readonly durationSeconds?: number | null } | null;
}): number => story.currentAudio?.durationSeconds ?? story.expectedSeconds;
