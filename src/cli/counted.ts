/** A number with the words that follow it, in the form that the number needs: `1 job waits`, `2 jobs wait`. */
export const counted = (count: number, one: string, many: string): string =>
  `${String(count)} ${count === 1 ? one : many}`;
