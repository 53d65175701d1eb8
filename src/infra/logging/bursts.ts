/** Lines that are written at once in each window. Further ones are collected, and written together at its end. */
const AT_ONCE = 5;
const WINDOW_MS = 100;
/** As much as one write takes. */
const CHARACTERS_MAX = 16_384;

export interface Lines {
  write(line: string): void;
  /** Writes what is collected. */
  flush(): void;
}

/**
 * Writes lines in their order, and those of a burst together, because a write takes longer than making a line. A process
 * that logs little writes each line at once. One that is killed loses at most the lines of one window.
 */
export function inBursts(write: (text: string) => void): Lines {
  let collected = '';
  let atOnce = AT_ONCE;
  let isOpen = false;
  const flush = (): void => {
    if (collected === '') return;
    const text = collected;
    collected = '';
    write(text);
  };
  const endWindow = (): void => {
    isOpen = false;
    atOnce = AT_ONCE;
    flush();
  };
  return {
    write: (line) => {
      collected += line;
      if (!isOpen) {
        isOpen = true;
        setTimeout(endWindow, WINDOW_MS).unref();
      }
      atOnce -= 1;
      if (atOnce >= 0 || collected.length >= CHARACTERS_MAX) flush();
    },
    flush,
  };
}
