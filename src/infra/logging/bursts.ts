/** This many are written at once in each window. The rest are collected, and written together at its end. */
const AT_ONCE = 5;
const WINDOW_MS = 100;
/** When this many are collected, they are written before the window ends. */
const COLLECTED_MAX = 64;

export interface Bursts<Item> {
  add(item: Item): void;
  /** Writes what is collected. */
  flush(): void;
}

/**
 * Writes items in their order, and those of a burst together, because one that is made and written alone takes several
 * times as long. During a burst, nothing is written at once. A process that logs little writes each item at once. One
 * that is killed loses at most the items of one window.
 */
export function inBursts<Item>(write: (items: readonly Item[]) => void): Bursts<Item> {
  let collected: Item[] = [];
  let added = 0;
  let atOnce = AT_ONCE;
  let isOpen = false;
  const flush = (): void => {
    if (collected.length === 0) return;
    const items = collected;
    collected = [];
    write(items);
  };
  const openWindow = (): void => {
    isOpen = true;
    setTimeout(endWindow, WINDOW_MS).unref();
  };
  const endWindow = (): void => {
    const isBurst = added > AT_ONCE;
    added = 0;
    atOnce = isBurst ? 0 : AT_ONCE;
    isOpen = false;
    if (isBurst) openWindow();
    flush();
  };
  return {
    add: (item) => {
      collected.push(item);
      added += 1;
      if (!isOpen) openWindow();
      if (added <= atOnce || collected.length >= COLLECTED_MAX) flush();
    },
    flush,
  };
}
